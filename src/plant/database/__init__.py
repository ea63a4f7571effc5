"""How a database comes to hold plant's schema: bootstrap once as superuser, then migrate."""
