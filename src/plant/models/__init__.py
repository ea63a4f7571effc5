"""The entities of plant and the tables that guard them; importing it makes `Base.metadata` complete."""

from plant.models.agent import Agent
from plant.models.audit import AuditEntry, AuditHead
from plant.models.base import BaseEntity
from plant.models.flush import prepare
from plant.models.industry import Industry
from plant.models.job_role import JobRole
from plant.models.metadata import Base
from plant.models.skill import Skill
from plant.models.team import Team
from plant.models.vocabulary import Alignment, EntityType, Seniority, SkillCategory, Status

__all__ = [
    "Agent",
    "Alignment",
    "AuditEntry",
    "AuditHead",
    "Base",
    "BaseEntity",
    "EntityType",
    "Industry",
    "JobRole",
    "Seniority",
    "Skill",
    "SkillCategory",
    "Status",
    "Team",
    "prepare",
]
