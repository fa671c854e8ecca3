"""The messages of SAML that the vectors are cut from, and the list of vectors."""

from .signature import signed

SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
SAMLP = "urn:oasis:names:tc:SAML:2.0:protocol"
IDP = "https://idp.example/saml"
SP = "https://sp.genkan.example/conn_1"
ACS = "https://sp.genkan.example/sso/v1/saml/conn_1/callback"
REQUEST = "_request1"
SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"
STATUS = "urn:oasis:names:tc:SAML:2.0:status:"
BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
PERSISTENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
EMAIL = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
PASSWORD = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"
ISSUED = "2026-11-29T11:59:58Z"
ALICE = "alice@acme.example"
# The person whom every attack wants to be.
ADMIN = "admin@acme.example"


def issuer(value=IDP, attributes=""):
    return f"<saml:Issuer{attributes}>{value}</saml:Issuer>"


def name_id(value=ALICE, format=EMAIL, attributes=""):
    format = f' Format="{format}"' if format else ""
    return f"<saml:NameID{format}{attributes}>{value}</saml:NameID>"


def confirmation(
    method=BEARER, recipient=ACS, not_on_or_after="2026-11-29T12:04:58Z", in_response_to=REQUEST, more="", inside=""
):
    data = ""
    for name, value in (("InResponseTo", in_response_to), ("NotOnOrAfter", not_on_or_after), ("Recipient", recipient)):
        if value is not None:
            data += f' {name}="{value}"'
    return (
        f'<saml:SubjectConfirmation Method="{method}"><saml:SubjectConfirmationData{data}{more}>{inside}'
        "</saml:SubjectConfirmationData></saml:SubjectConfirmation>"
    )


def audience(*values):
    return (
        "<saml:AudienceRestriction>"
        + "".join(f"<saml:Audience>{value}</saml:Audience>" for value in values)
        + "</saml:AudienceRestriction>"
    )


def conditions(inside=None, not_before="2026-11-29T11:58:58Z", not_on_or_after="2026-11-29T12:04:58Z"):
    times = ""
    for name, value in (("NotBefore", not_before), ("NotOnOrAfter", not_on_or_after)):
        if value is not None:
            times += f' {name}="{value}"'
    return f"<saml:Conditions{times}>{audience(SP) if inside is None else inside}</saml:Conditions>"


def authn(instant="2026-11-29T11:59:50Z", more=' SessionIndex="_session1"', context=PASSWORD):
    return (
        f'<saml:AuthnStatement AuthnInstant="{instant}"{more}><saml:AuthnContext><saml:AuthnContextClassRef>{context}'
        "</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>"
    )


def attribute(name, *values, more=""):
    inside = "".join(f"<saml:AttributeValue>{value}</saml:AttributeValue>" for value in values)
    return f'<saml:Attribute Name="{name}"{more}>{inside}</saml:Attribute>'


def attributes(*inside):
    inside = inside or (attribute("email", ALICE), attribute("groups", "staff", "editors"))
    return f"<saml:AttributeStatement>{''.join(inside)}</saml:AttributeStatement>"


def assertion(
    id="_assertion1",
    xmlns=f' xmlns:saml="{SAML}"',
    version=' Version="2.0"',
    issued=ISSUED,
    issuer=issuer(),
    name_id=name_id(),
    confirmation=confirmation(),
    subject=None,
    conditions=conditions(),
    advice="",
    statements=None,
    more="",
    mark=True,
    after="",
):
    """An Assertion; `[[id]]` marks the place of its signature."""
    if subject is None:
        subject = f"<saml:Subject>{name_id}{confirmation}</saml:Subject>"
    if statements is None:
        statements = authn() + attributes()
    place = f"[[{id}]]" if mark else ""
    return (
        f'<saml:Assertion{xmlns} ID="{id}"{version} IssueInstant="{issued}"{more}>{issuer}{place}{subject}{conditions}'
        f"{advice}{statements}{after}</saml:Assertion>"
    )


def status(value=SUCCESS, inside="", message="", detail=""):
    message = f"<samlp:StatusMessage>{message}</samlp:StatusMessage>" if message else ""
    return f'<samlp:Status><samlp:StatusCode Value="{value}">{inside}</samlp:StatusCode>{message}{detail}</samlp:Status>'


def response(
    body=None,
    id="_response1",
    xmlns=f' xmlns:samlp="{SAMLP}" xmlns:saml="{SAML}"',
    version=' Version="2.0"',
    issued=ISSUED,
    destination=ACS,
    in_response_to=REQUEST,
    issuer=issuer(),
    extensions="",
    status=status(),
    more="",
    mark=True,
    head="",
    name="samlp:Response",
):
    """A Response; `[[id]]` marks the place of its signature."""
    if body is None:
        body = assertion()
    optional = ""
    if destination is not None:
        optional += f' Destination="{destination}"'
    if in_response_to is not None:
        optional += f' InResponseTo="{in_response_to}"'
    place = f"[[{id}]]" if mark else ""
    return (
        f'{head}<{name}{xmlns} ID="{id}"{version} IssueInstant="{issued}"{optional}{more}>{issuer}{place}{extensions}'
        f"{status}{body}</{name}>"
    )


def by_assertion(body=None, **options):
    """The text of a response with a signed assertion."""
    return signed(body if body is not None else response(), "_assertion1", **options)


def by_response(body=None, **options):
    return signed(body if body is not None else response(), "_response1", **options)


def by_both(body=None, **options):
    return signed(body if body is not None else response(), "_assertion1", "_response1", **options)


class Corpus:
    """Vectors by name. A vector is a document or a form's value, settings, and the one right outcome."""

    def __init__(self):
        self.vectors = {}

    def _add(self, group, name, document, outcome, settings):
        full = f"{group}/{name}"
        assert full not in self.vectors, full
        if isinstance(document, str):
            assert "[[" not in document, full
        self.vectors[full] = (document, settings, outcome)

    def accept(self, group, name, document, values=None, **settings):
        """The values are those that the caller must get; others are not compared."""
        self._add(group, name, document, {"accept": {"name_id": ALICE} | (values or {})}, settings)

    def refuse(self, group, name, document, cause, **settings):
        self._add(group, name, document, {"cause": cause}, settings)
