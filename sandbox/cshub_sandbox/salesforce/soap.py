"""SOAP ``login()`` of the partner interface; it is gone from v65 on (docs/vendors/salesforce.md §1.2)."""

from __future__ import annotations

from xml.etree import ElementTree
from xml.sax.saxutils import escape

from cshub_sandbox.kernel import Reply, Request
from cshub_sandbox.salesforce.login import INSTANCE_URL, check_password
from cshub_sandbox.salesforce.org import Org
from cshub_sandbox.salesforce.state import shown

FIRST_VERSION_WITHOUT_LOGIN = 65
_XML = {"Content-Type": "text/xml;charset=UTF-8"}
_PARTNER = "urn:partner.soap.sforce.com"


def soap_login(org: Org, request: Request, version: str) -> Reply:
    """``POST /services/Soap/u/{version}``: a session, or a fault with status 500."""
    try:
        number = float(version)
    except ValueError:
        return _fault("UNSUPPORTED_API_VERSION", f"Invalid Api version specified on URL: {version}")
    if number >= FIRST_VERSION_WITHOUT_LOGIN:
        return _fault("UNSUPPORTED_API_VERSION", f"The login() call is not available in API version {version}")
    try:
        envelope = ElementTree.fromstring(request.body)
    except (ElementTree.ParseError, LookupError, ValueError) as problem:
        return _fault("XML_PARSER_ERROR", f"The envelope cannot be read: {problem}", kind="soapenv:Client")
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
