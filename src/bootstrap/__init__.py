"""The composition root: the only place that names adapters. It turns settings into running parts."""

from liveorder.application.ports.brokerage import Brokerage
from liveorder.bootstrap.brokerages import open_brokerage
from liveorder.bootstrap.commands import ask_for_accounts, send_command, standing_doubts
from liveorder.bootstrap.doors import check_doors, file_source, source_by_url
from liveorder.bootstrap.emergency import EmergencyReport, emergency_kill
from liveorder.bootstrap.event_recorder import open_recorder, recorder_of
from liveorder.bootstrap.files import FileCheck, check_files
from liveorder.bootstrap.kite import Charges, KiteLogin, kite_charges, kite_login, kite_login_address
from liveorder.bootstrap.parts import load_settings, place_of_new_store, without_secrets, write_settings_template
from liveorder.bootstrap.projections import installed as installed_read_model
from liveorder.bootstrap.reader import StoreReader, open_reader, rebuild_views, verify_views
from liveorder.bootstrap.service import open_service
from liveorder.bootstrap.supplied import Supplied, SuppliedNotifier
from liveorder.bootstrap.upkeep import (
    BrokerCheck,
    CalendarCheck,
    backup,
    change_default_account,
    check_brokers,
    check_calendars,
    serve_venue,
)
from liveorder.bootstrap.venue_files import venue_path
from liveorder.infrastructure.eventstore.event_recorder import EventRecorder
from liveorder.infrastructure.eventstore.library_mapper import EventMapper, project_order
from liveorder.infrastructure.secrecy import no_path
from liveorder.infrastructure.settings import AccountSettings, Settings

__all__ = [
    "AccountSettings",
    "BrokerCheck",
    "Brokerage",
    "CalendarCheck",
    "Charges",
    "EmergencyReport",
    "EventMapper",
    "EventRecorder",
    "FileCheck",
    "KiteLogin",
    "Settings",
    "StoreReader",
    "Supplied",
    "SuppliedNotifier",
    "ask_for_accounts",
    "backup",
    "change_default_account",
    "check_brokers",
    "check_calendars",
    "check_doors",
    "check_files",
    "emergency_kill",
    "file_source",
    "installed_read_model",
    "kite_charges",
    "kite_login",
    "kite_login_address",
    "load_settings",
    "no_path",
    "open_brokerage",
    "open_reader",
    "open_recorder",
    "open_service",
    "place_of_new_store",
    "project_order",
    "rebuild_views",
    "recorder_of",
    "send_command",
    "serve_venue",
    "source_by_url",
    "standing_doubts",
    "venue_path",
    "verify_views",
    "without_secrets",
    "write_settings_template",
]
