"""SOAP: ``login()`` of the partner interface, gone from v65 on (docs/vendors/salesforce.md §1.2); else a fault."""

from __future__ import annotations

from xml.etree import ElementTree
from xml.sax.saxutils import escape

from cshub_sandbox.kernel import Reply, Request
from cshub_sandbox.salesforce.errors import not_simulated
from cshub_sandbox.salesforce.login import INSTANCE_URL, check_password
from cshub_sandbox.salesforce.org import Org
from cshub_sandbox.salesforce.state import shown

FIRST_VERSION_WITHOUT_LOGIN = 65
PARTNER_INTERFACE = "u"
_XML = {"Content-Type": "text/xml;charset=UTF-8"}
_PARTNER = "urn:partner.soap.sforce.com"
_LOGIN = f"{{{_PARTNER}}}login"
_BODY = "{http://schemas.xmlsoap.org/soap/envelope/}Body"


def answer_soap(org: Org, request: Request, interface: str, version: str) -> Reply:
    """``POST /services/Soap/{interface}/{version}``: what ``login()`` answers, or a fault with status 500."""
    if interface != PARTNER_INTERFACE or request.method != "POST":
        return _not_simulated(f"{request.method} {request.path}")
    try:
        number = float(version)
    except ValueError:
        return _fault("UNSUPPORTED_API_VERSION", f"Invalid Api version specified on URL: {version}")
    try:
        envelope = ElementTree.fromstring(request.body)
    except (ElementTree.ParseError, LookupError, ValueError) as problem:
        return _fault("XML_PARSER_ERROR", f"The envelope cannot be read: {problem}", kind="soapenv:Client")
    asked = envelope.find(f"{_BODY}/*")
    if asked is None:
        return _fault("XML_PARSER_ERROR", "The envelope has no call in its Body", kind="soapenv:Client")
    if asked.tag != _LOGIN:
        return _not_simulated(f"the SOAP call {asked.tag.rpartition('}')[2]}(); use the REST API")
    if number >= FIRST_VERSION_WITHOUT_LOGIN:
        return _fault("UNSUPPORTED_API_VERSION", f"The login() call is not available in API version {version}")
    return _login(org, envelope, version)


def _login(org: Org, envelope: ElementTree.Element, version: str) -> Reply:
    org_id = _text(envelope, "organizationId")
    allowed = org.switches.soap_login and (org_id is None or org.id.startswith(org_id[:15]))
    user_id = None
    if allowed:
        user_id = check_password(
            org,
            _text(envelope, "username") or "",
            _text(envelope, "password") or "",
            token_needed=False if org_id else None,
        )
    if user_id is None:
        return _fault("INVALID_LOGIN", "Invalid username, password, security token; or user locked out.")
    session, user = org.sessions.open(user_id, org.now()), shown(org.user(user_id))
    server = f"{INSTANCE_URL}/services/Soap/u/{version}/{org.id[:15]}"
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns="{_PARTNER}"'
        ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body><loginResponse><result>'
        f"<metadataServerUrl>{escape(server.replace('/u/', '/m/'))}</metadataServerUrl>"
        "<passwordExpired>false</passwordExpired><sandbox>false</sandbox>"
        f"<serverUrl>{escape(server)}</serverUrl><sessionId>{escape(session.token)}</sessionId>"
        f"<userId>{user_id}</userId><userInfo>"
        f"<organizationId>{org.id}</organizationId><organizationName>{escape(org.name)}</organizationName>"
        f"<sessionSecondsValid>{int(org.switches.token_life_s)}</sessionSecondsValid>"
        f"<userEmail>{escape(user['Email'])}</userEmail><userFullName>{escape(user['Name'])}</userFullName>"
        f"<userId>{user_id}</userId><userName>{escape(user['Username'])}</userName>"
        f"<userTimeZone>{escape(user['TimeZoneSidKey'])}</userTimeZone>"
        "</userInfo></result></loginResponse></soapenv:Body></soapenv:Envelope>"
    )
    return Reply(200, body.encode(), _XML)


def _text(envelope: ElementTree.Element, name: str) -> str | None:
    found = envelope.find(f".//{{{_PARTNER}}}{name}")
    return None if found is None else found.text or ""


def _not_simulated(what: str) -> Reply:
    refusal = not_simulated(what)
    return _fault(refusal.code, refusal.message)


def _fault(code: str, message: str, *, kind: str | None = None) -> Reply:
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"'
        ' xmlns:sf="urn:fault.partner.soap.sforce.com" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        f"<soapenv:Body><soapenv:Fault><faultcode>{kind or f'sf:{code}'}</faultcode>"
        f"<faultstring>{escape(f'{code}: {message}')}</faultstring>"
        f'<detail><sf:LoginFault xsi:type="sf:LoginFault"><sf:exceptionCode>{code}</sf:exceptionCode>'
        f"<sf:exceptionMessage>{escape(message)}</sf:exceptionMessage></sf:LoginFault></detail>"
        "</soapenv:Fault></soapenv:Body></soapenv:Envelope>"
    )
    return Reply(500, body.encode(), _XML)
