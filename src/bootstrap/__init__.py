"""The composition root: the only place that names adapters. It turns settings into running parts.

Names are loaded when they are first used: a command that reads a store needs neither brokers nor an engine.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from liveorder.application.ports.brokerage import Brokerage as Brokerage
    from liveorder.bootstrap.brokerages import open_brokerage as open_brokerage
    from liveorder.bootstrap.commands import UNFOLLOWED as UNFOLLOWED
    from liveorder.bootstrap.commands import ask_for_accounts as ask_for_accounts
    from liveorder.bootstrap.commands import send_command as send_command
    from liveorder.bootstrap.commands import standing_doubts as standing_doubts
    from liveorder.bootstrap.doors import check_doors as check_doors
    from liveorder.bootstrap.doors import file_source as file_source
    from liveorder.bootstrap.doors import source_by_url as source_by_url
    from liveorder.bootstrap.emergency import EmergencyReport as EmergencyReport
    from liveorder.bootstrap.emergency import emergency_kill as emergency_kill
    from liveorder.bootstrap.event_recorder import open_recorder as open_recorder
    from liveorder.bootstrap.event_recorder import recorder_of as recorder_of
    from liveorder.bootstrap.files import FileCheck as FileCheck
    from liveorder.bootstrap.files import check_files as check_files
    from liveorder.bootstrap.http import listening as listening
    from liveorder.bootstrap.kite import Charges as Charges
    from liveorder.bootstrap.kite import KiteLogin as KiteLogin
    from liveorder.bootstrap.kite import kite_charges as kite_charges
    from liveorder.bootstrap.kite import kite_login as kite_login
    from liveorder.bootstrap.kite import kite_login_address as kite_login_address
    from liveorder.bootstrap.parts import load_settings as load_settings
    from liveorder.bootstrap.parts import place_of_new_store as place_of_new_store
    from liveorder.bootstrap.parts import without_secrets as without_secrets
    from liveorder.bootstrap.parts import write_settings_template as write_settings_template
    from liveorder.bootstrap.projections import installed_read_model as installed_read_model
    from liveorder.bootstrap.reader import StoreReader as StoreReader
    from liveorder.bootstrap.reader import check_projections as check_projections
    from liveorder.bootstrap.reader import open_reader as open_reader
    from liveorder.bootstrap.reader import rebuild_views as rebuild_views
    from liveorder.bootstrap.reader import verify_views as verify_views
    from liveorder.bootstrap.service import open_service as open_service
    from liveorder.bootstrap.supervision import supervised as supervised
    from liveorder.bootstrap.supplied import Supplied as Supplied
    from liveorder.bootstrap.supplied import SuppliedNotifier as SuppliedNotifier
    from liveorder.bootstrap.upkeep import BrokerCheck as BrokerCheck
    from liveorder.bootstrap.upkeep import CalendarCheck as CalendarCheck
    from liveorder.bootstrap.upkeep import backup as backup
    from liveorder.bootstrap.upkeep import change_default_account as change_default_account
    from liveorder.bootstrap.upkeep import check_brokers as check_brokers
    from liveorder.bootstrap.upkeep import check_calendars as check_calendars
    from liveorder.bootstrap.upkeep import serve_venue as serve_venue
    from liveorder.bootstrap.venue_files import venue_path as venue_path
    from liveorder.infrastructure.eventstore.event_recorder import EventRecorder as EventRecorder
    from liveorder.infrastructure.eventstore.library_mapper import EventMapper as EventMapper
    from liveorder.infrastructure.eventstore.library_mapper import project_order as project_order
    from liveorder.infrastructure.secrecy import no_path as no_path
    from liveorder.infrastructure.settings import AccountSettings as AccountSettings
    from liveorder.infrastructure.settings import Settings as Settings

_EXPORTS = {
    "liveorder.application.ports.brokerage": ("Brokerage",),
    "liveorder.bootstrap.brokerages": ("open_brokerage",),
    "liveorder.bootstrap.commands": ("UNFOLLOWED", "ask_for_accounts", "send_command", "standing_doubts"),
    "liveorder.bootstrap.doors": ("check_doors", "file_source", "source_by_url"),
    "liveorder.bootstrap.emergency": ("EmergencyReport", "emergency_kill"),
    "liveorder.bootstrap.event_recorder": ("open_recorder", "recorder_of"),
    "liveorder.bootstrap.files": ("FileCheck", "check_files"),
    "liveorder.bootstrap.http": ("listening",),
    "liveorder.bootstrap.kite": ("Charges", "KiteLogin", "kite_charges", "kite_login", "kite_login_address"),
    "liveorder.bootstrap.parts": ("load_settings", "place_of_new_store", "without_secrets", "write_settings_template"),
    "liveorder.bootstrap.projections": ("installed_read_model",),
    "liveorder.bootstrap.reader": ("StoreReader", "check_projections", "open_reader", "rebuild_views", "verify_views"),
    "liveorder.bootstrap.service": ("open_service",),
    "liveorder.bootstrap.supervision": ("supervised",),
    "liveorder.bootstrap.supplied": ("Supplied", "SuppliedNotifier"),
    "liveorder.bootstrap.upkeep": (
        "BrokerCheck",
        "CalendarCheck",
        "backup",
        "change_default_account",
        "check_brokers",
        "check_calendars",
        "serve_venue",
    ),
    "liveorder.bootstrap.venue_files": ("venue_path",),
    "liveorder.infrastructure.eventstore.event_recorder": ("EventRecorder",),
    "liveorder.infrastructure.eventstore.library_mapper": ("EventMapper", "project_order"),
    "liveorder.infrastructure.secrecy": ("no_path",),
    "liveorder.infrastructure.settings": ("AccountSettings", "Settings"),
}
_MODULES = {name: module for module, names in _EXPORTS.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"liveorder.bootstrap has no {name!r}")
    return getattr(import_module(_MODULES[name]), name)
