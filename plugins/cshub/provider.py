"""What the hub tells Airflow of itself: connection types and the fields of their forms. Data only."""

from __future__ import annotations

from typing import Any

_VERIFY_TLS = {
    "label": "Verify the TLS certificate",
    "description": "Switch off only against a test service with a certificate of its own.",
    "schema": {"type": ["boolean", "null"], "default": True},
}
_CALLS_PER_MINUTE = {
    "label": "Calls per minute",
    "description": "The most calls the hub may send with this token in any 60 seconds. Empty: the service's own limit.",
    "schema": {"type": ["integer", "null"], "minimum": 1, "maximum": 10000},
}
_CONNECT_TIMEOUT = {
    "label": "Connect time-out (seconds)",
    "schema": {"type": ["integer", "null"], "default": 10, "minimum": 1, "maximum": 120},
}
_READ_TIMEOUT: dict[str, Any] = {
    "label": "Read time-out (seconds)",
    "schema": {"type": ["integer", "null"], "default": 60, "minimum": 1, "maximum": 600},
}
_HIDDEN = ["schema", "login", "extra"]

_CHORUS = {
    "connection-type": "chorus",
    "hook-class-name": "cshub.systems.chorus.hook.ChorusHook",
    "hook-name": "Chorus",
    "ui-field-behaviour": {
        "hidden-fields": _HIDDEN,
        "relabeling": {"password": "API token", "host": "API base URL"},
        "placeholders": {"host": "https://chorus.ai", "password": "Chorus: Personal Settings, API Access"},
    },
    "conn-fields": {
        "auth_form": {
            "label": "Authorization header",
            "description": "bare sends the token alone, as Chorus documents it; bearer puts the word Bearer before it.",
            "schema": {"type": ["string", "null"], "enum": ["bare", "bearer"], "default": "bare"},
        },
        "calls_per_minute": _CALLS_PER_MINUTE,
        "connect_timeout_s": _CONNECT_TIMEOUT,
        "read_timeout_s": _READ_TIMEOUT,
        "verify_tls": _VERIFY_TLS,
    },
}

_TOTANGO = {
    "connection-type": "totango",
    "hook-class-name": "cshub.systems.totango.hook.TotangoHook",
    "hook-name": "Totango",
    "ui-field-behaviour": {
        "hidden-fields": _HIDDEN,
        "relabeling": {"password": "API token", "host": "API base URL (overrides the region)"},
        "placeholders": {
            "host": "https://api.totango.com",
            "password": "Totango: your profile, Integrations, API token",
        },
    },
    "conn-fields": {
        "region": {
            "label": "Region",
            "description": "US: api.totango.com. EU: api-eu1.totango.com. The web address of your Totango tells which.",
            "schema": {"type": ["string", "null"], "enum": ["US", "EU"], "default": "US"},
        },
        "service_id": {
            "label": "Service id",
            "description": "Number of your Totango service. When it changes, jobs refuse to run.",
            "schema": {"type": ["string", "null"]},
        },
        "calls_per_minute": _CALLS_PER_MINUTE,
        "connect_timeout_s": _CONNECT_TIMEOUT,
        "read_timeout_s": _READ_TIMEOUT,
        "verify_tls": _VERIFY_TLS,
    },
}

_SALESFORCE = {
    "connection-type": "salesforce",
    "hook-class-name": "cshub.systems.salesforce.hook.SalesforceHook",
    "hook-name": "Salesforce",
    "ui-field-behaviour": {
        "hidden-fields": ["schema", "host", "extra"],
        "relabeling": {"login": "Username (JWT bearer)", "password": "Password (legacy sign-in, ends in 2027)"},
        "placeholders": {"login": "Only for JWT bearer and the legacy sign-in"},
    },
    "conn-fields": {
        "domain": {
            "label": "My Domain",
            "description": "acme.my, or acme--uat.sandbox.my for a sandbox: Setup, My Domain, without .salesforce.com.",
            "schema": {"type": ["string", "null"]},
        },
        "consumer_key": {
            "label": "Consumer key",
            "description": "Of an External Client App with the client credentials flow and a user to run as.",
            "schema": {"type": ["string", "null"]},
        },
        "consumer_secret": {
            "label": "Consumer secret",
            "schema": {"type": ["string", "null"], "format": "password"},
        },
        "private_key": {
            "label": "Private key (JWT bearer)",
            "description": "The whole PEM text, in place of the consumer secret; the app holds its certificate.",
            "schema": {"type": ["string", "null"], "format": "password"},
        },
        "private_key_file_path": {
            "label": "Private key file (JWT bearer)",
            "description": "Path of the PEM file as Airflow's workers see it, in place of the text.",
            "schema": {"type": ["string", "null"]},
        },
        "session_id": {
            "label": "Session id",
            "description": "A token made elsewhere; it ends with its session. Needs the instance URL.",
            "schema": {"type": ["string", "null"], "format": "password"},
        },
        "instance_url": {
            "label": "Instance URL",
            "description": "https://acme.my.salesforce.com, for a session id only.",
            "schema": {"type": ["string", "null"]},
        },
        "security_token": {
            "label": "Security token (legacy)",
            "schema": {"type": ["string", "null"], "format": "password"},
        },
        "organization_id": {
            "label": "Organization id (legacy)",
            "schema": {"type": ["string", "null"]},
        },
        "version": {
            "label": "API version",
            "schema": {"type": ["string", "null"], "default": "66.0"},
        },
        "chunk_size": {
            "label": "Records per write call",
            "description": "200 at most. Lower it, down to 25, when triggers of the org run into their limits.",
            "schema": {"type": ["integer", "null"], "default": 200, "minimum": 1, "maximum": 200},
        },
        "bulk_threshold": {
            "label": "Bulk jobs above so many records",
            "description": "Writes of more records than this go through Bulk API 2.0. Empty: never.",
            "schema": {"type": ["integer", "null"], "minimum": 1},
        },
        "endpoint_override": {
            "label": "Send everything to this address",
            "description": "For a test service only. Leave it empty.",
            "schema": {"type": ["string", "null"]},
        },
        "calls_per_minute": _CALLS_PER_MINUTE,
        "connect_timeout_s": _CONNECT_TIMEOUT,
        "read_timeout_s": {**_READ_TIMEOUT, "schema": {**_READ_TIMEOUT["schema"], "default": 130}},
        "verify_tls": _VERIFY_TLS,
    },
}


def get_provider_info() -> dict[str, Any]:
    """The provider dictionary of Airflow: one entry per connection type, read by name when a form or hook is opened."""
    return {
        "package-name": "cshub",
        "name": "Customer-success integration hub",
        "description": "Keeps Chorus, Salesforce and Totango in step.",
        "connection-types": [_CHORUS, _TOTANGO, _SALESFORCE],
    }
