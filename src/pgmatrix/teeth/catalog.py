"""Owns the look at what a database is made of, so that SQL that changed nothing shows. Definitions, never object ids.

The queries work alike on PostgreSQL 15 to 18. Rows are no part of it.
"""

from __future__ import annotations

from pgmatrix.clients import Client

_OURS = "n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'"

DEFINITIONS = f"""
WITH relations AS (
    SELECT c.* FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {_OURS}
)
SELECT 'schema ' || n.nspname, concat_ws(' | ', n.nspowner::regrole, n.nspacl) FROM pg_namespace n WHERE {_OURS}
UNION ALL
SELECT 'relation ' || c.oid::regclass, concat_ws(' | ', c.relkind, c.relpersistence, c.relowner::regrole,
       c.relrowsecurity, c.relforcerowsecurity, c.reloptions, c.relacl,
       CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END)
  FROM relations c
UNION ALL
SELECT 'column ' || c.oid::regclass || '.' || a.attname, concat_ws(' | ', format_type(a.atttypid, a.atttypmod),
       a.attnotnull, a.attidentity, a.attgenerated, a.attcollation, a.attacl, a.attstorage,
       pg_get_expr(d.adbin, d.adrelid))
  FROM relations c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
UNION ALL
SELECT 'constraint ' || c.oid::regclass || '.' || k.conname, concat_ws(' | ', pg_get_constraintdef(k.oid),
       k.condeferrable, k.condeferred, k.convalidated)
  FROM relations c JOIN pg_constraint k ON k.conrelid = c.oid
UNION ALL
SELECT 'index ' || c.oid::regclass, concat_ws(' | ', pg_get_indexdef(c.oid), i.indisvalid)
  FROM relations c JOIN pg_index i ON i.indexrelid = c.oid
UNION ALL
SELECT 'policy ' || c.oid::regclass || '.' || p.polname, concat_ws(' | ', p.polcmd, p.polpermissive,
       p.polroles::regrole[], pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
  FROM relations c JOIN pg_policy p ON p.polrelid = c.oid
UNION ALL
SELECT 'trigger ' || c.oid::regclass || '.' || t.tgname, concat_ws(' | ', t.tgenabled, pg_get_triggerdef(t.oid))
  FROM relations c JOIN pg_trigger t ON t.tgrelid = c.oid WHERE NOT t.tgisinternal
UNION ALL
SELECT 'rule ' || c.oid::regclass || '.' || r.rulename, concat_ws(' | ', r.ev_enabled, pg_get_ruledef(r.oid))
  FROM relations c JOIN pg_rewrite r ON r.ev_class = c.oid
UNION ALL
SELECT 'function ' || p.oid::regprocedure, concat_ws(' | ', p.proowner::regrole, p.proacl,
       CASE WHEN p.prokind <> 'a' THEN pg_get_functiondef(p.oid) END)
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE {_OURS}
UNION ALL
SELECT 'type ' || t.oid::regtype, concat_ws(' | ', t.typtype, t.typowner::regrole, t.typacl,
       (SELECT string_agg(e.enumlabel, ', ' ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid))
  FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE {_OURS}
UNION ALL
SELECT 'operator ' || o.oid::regoperator, o.oprcode::text
  FROM pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace WHERE {_OURS}
UNION ALL
SELECT 'extension ' || e.extname, concat_ws(' | ', e.extversion, e.extnamespace::regnamespace) FROM pg_extension e
UNION ALL
SELECT 'default privileges ' || a.defaclrole::regrole, concat_ws(' | ', a.defaclobjtype, a.defaclacl)
  FROM pg_default_acl a
ORDER BY 1, 2
"""

CLUSTER = """
SELECT 'role ' || r.rolname, (to_jsonb(r) - 'oid' - 'rolpassword')::text FROM pg_roles r WHERE r.rolname !~ '^pg_'
UNION ALL
SELECT 'member ' || m.member::regrole, m.roleid::regrole::text FROM pg_auth_members m
UNION ALL
SELECT 'setting ' || s.setrole::regrole, s.setconfig::text FROM pg_db_role_setting s WHERE s.setdatabase = 0
ORDER BY 1, 2
"""

Look = list[tuple[str, str]]


def definitions(client: Client) -> Look:
    """Every object of the client's database by name, with all that makes it what it is."""
    return [(name, text) for name, text in client.execute(DEFINITIONS)]


def cluster(client: Client) -> Look:
    """Every role of the server, its memberships and settings."""
    return [(name, text) for name, text in client.execute(CLUSTER)]
