"""UniFi products the estate is built of: code, name, kind, record type, ports, radios.

Codes and names are facts about the product line; port counts, speeds and versions are near enough for a sandbox.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache


class Kind(StrEnum):
    """What a thing is, whatever UniFi's record type says."""

    GATEWAY = "gateway"
    SWITCH = "switch"
    ACCESS_POINT = "access_point"
    BRIDGE = "bridge"
    MODEM = "modem"
    PDU = "pdu"
    UPS = "ups"
    RPS = "rps"
    PLUG = "plug"
    CONTROLLER = "controller"
    RECORDER = "recorder"
    CAMERA = "camera"


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """``code`` is the controller's spelling, ``shortname`` Site Manager's, ``name`` the marketing name.

    ``type`` is the controller's record type, ``""`` for products it never lists. ``radios`` are bands in GHz,
    ``speed`` is the fastest port in Mbit/s, ``version`` the full firmware version.
    """

    code: str
    shortname: str
    name: str
    kind: Kind
    type: str
    product_line: str
    ports: int
    poe: bool
    speed: int
    radios: tuple[str, ...]
    version: str
    system_id: int

    @property
    def short_version(self) -> str:
        return ".".join(self.version.split(".")[:3])

    @property
    def sfp_ports(self) -> int:
        """The last ports that take SFP+ modules."""
        return 2 if self.kind is Kind.SWITCH and self.ports > 16 else int(self.kind is Kind.GATEWAY and self.ports > 8)


# code | shortname, if another | name | kind | type | ports | poe | speed | radios | version
_TABLE = """
UDM||UDM|gateway|udm|5||1000|2.4 5|4.0.21.20423
UDMPRO||UDM Pro|gateway|udm|11||10000||5.0.16.30692
UDMPROSE||UDM SE|gateway|udm|11|poe|10000||5.0.16.30692
UDMPROMAX||UDM Pro Max|gateway|udm|11||10000||5.0.16.30692
UDMENT||UDM Enterprise|gateway|udm|12||25000||5.0.16.30692
UDMA67A|UDR7|UDR7|gateway|udm|5|poe|10000|2.4 5 6|4.3.9.22671
UDMA69B|UX7|UX7|gateway|udm|2||10000|2.4 5 6|4.3.9.22671
UDMA6A8|UCGF|UCG Fiber|gateway|udm|7|poe|10000||4.3.9.22671
UDRULT||UCG Ultra|gateway|udm|5||2500||4.3.9.22671
UCGMAX||UCG Max|gateway|udm|5||2500||4.3.9.22671
UGW3||USG 3P|gateway|ugw|3||1000||4.4.57.5578372
UGW4||USG Pro 4|gateway|ugw|4||1000||4.4.57.5578372
UXG||UXG Lite|gateway|uxg|2||1000||4.1.13.10320
UXGPRO||UXG Pro|gateway|uxg|4||10000||4.1.13.10320
UXGENT||UXG Enterprise|gateway|uxg|6||25000||4.1.13.10320
UXGB||UXG Max|gateway|uxg|5||2500||4.1.13.10320
USMINI||USW Flex Mini|switch|usw|5||1000||2.1.6.762
USF5P||USW Flex|switch|usw|5|poe|1000||7.2.123.16565
USFXG||USW Flex XG|switch|usw|5||10000||7.2.123.16565
USWED35|USM25G5|USW Flex 2.5G 5|switch|usw|5||2500||7.2.123.16565
USWED37|USM25G8P|USW Flex 2.5G 8 PoE|switch|usw|10|poe|10000||7.2.123.16565
USM8P||USW Ultra|switch|usw|8|poe|1000||7.2.123.16565
US8||US 8|switch|usw|8||1000||7.1.26.15869
US8P60||US 8 60W|switch|usw|8|poe|1000||7.1.26.15869
USC8P150||US 8 150W|switch|usw|10|poe|1000||7.1.26.15869
US16P150||US 16 150W|switch|usw|18|poe|1000||7.1.26.15869
US24P250||US 24 250W|switch|usw|26|poe|1000||7.1.26.15869
US48P500||US 48 500W|switch|usw|52|poe|1000||7.1.26.15869
USL8LP||USW Lite 8 PoE|switch|usw|8|poe|1000||7.2.123.16565
USL16LP||USW Lite 16 PoE|switch|usw|16|poe|1000||7.2.123.16565
USL16P||USW 16 PoE|switch|usw|18|poe|1000||7.2.123.16565
USL24||USW 24|switch|usw|26||1000||7.2.123.16565
USL24P||USW 24 PoE|switch|usw|26|poe|1000||7.2.123.16565
USL48||USW 48|switch|usw|52||1000||7.2.123.16565
USL48P||USW 48 PoE|switch|usw|52|poe|1000||7.2.123.16565
USLP8P||USW Pro 8 PoE|switch|usw|10|poe|10000||7.2.123.16565
US24PRO||USW Pro 24 PoE|switch|usw|26|poe|10000||7.2.123.16565
US24PRO2||USW Pro 24|switch|usw|26||10000||7.2.123.16565
US48PRO||USW Pro 48 PoE|switch|usw|52|poe|10000||7.2.123.16565
USPM16P||USW Pro Max 16 PoE|switch|usw|18|poe|10000||7.2.123.16565
USPM24P||USW Pro Max 24 PoE|switch|usw|26|poe|10000||7.2.123.16565
USPM48P||USW Pro Max 48 PoE|switch|usw|52|poe|10000||7.2.123.16565
USWED44||USW Pro XG 24 PoE|switch|usw|26|poe|25000||7.2.123.16565
US624P||USW Enterprise 24 PoE|switch|usw|26|poe|10000||7.2.123.16565
US648P||USW Enterprise 48 PoE|switch|usw|52|poe|10000||7.2.123.16565
USXG24||USW EnterpriseXG 24|switch|usw|26||25000||7.2.123.16565
USL8A||USW Aggregation|switch|usw|8||10000||7.2.123.16565
USAGGPRO||USW Pro Aggregation|switch|usw|32||25000||7.2.123.16565
USC8P450||USW Industrial|switch|usw|10|poe|1000||7.2.123.16565
U7LT||UAP AC Lite|access_point|uap|1||1000|2.4 5|6.6.77.15402
U7LR||UAP AC LR|access_point|uap|1||1000|2.4 5|6.6.77.15402
U7PG2||UAP AC Pro|access_point|uap|2||1000|2.4 5|6.6.77.15402
U7HD||UAP AC HD|access_point|uap|2||1000|2.4 5|6.6.77.15402
U7NHD||UAP nanoHD|access_point|uap|1||1000|2.4 5|6.6.77.15402
U7MSH||UAP AC M|access_point|uap|1||1000|2.4 5|6.6.77.15402
U7IW||UAP AC IW|access_point|uap|3||1000|2.4 5|6.6.77.15402
UAL6||U6 Lite|access_point|uap|1||1000|2.4 5|6.7.31.15618
UAPL6||U6+|access_point|uap|1||1000|2.4 5|6.7.31.15618
UALR6v2||U6 LR|access_point|uap|1||1000|2.4 5|6.7.31.15618
UAP6MP||U6 Pro|access_point|uap|1||1000|2.4 5|6.7.31.15618
U6M||U6 Mesh|access_point|uap|1||1000|2.4 5|6.7.31.15618
U6IW||U6 IW|access_point|uap|5|poe|1000|2.4 5|6.7.31.15618
U6ENT||U6 Enterprise|access_point|uap|1||2500|2.4 5 6|6.7.31.15618
U7PRO||U7 Pro|access_point|uap|1||2500|2.4 5 6|8.0.26.17131
U7PROMAX||U7 Pro Max|access_point|uap|1||2500|2.4 5 6|8.0.26.17131
UAPA693|G7LT|U7 Lite|access_point|uap|1||2500|2.4 5|8.0.26.17131
UAPA6A9|U7PROXG|U7 Pro XG|access_point|uap|1||10000|2.4 5 6|8.0.26.17131
U7PIW||U7 Pro Wall|access_point|uap|1||2500|2.4 5 6|8.0.26.17131
UKPW||U7 Outdoor|access_point|uap|1||2500|2.4 5|8.0.26.17131
UBB||UBB|bridge|ubb|1||1000|60|6.6.77.15402
UDB||UDB Pro|bridge|udb|1||1000|5|7.0.66.15000
ULTE||U LTE|modem|uap|1||1000||6.6.77.15402
UMBBE630||U5G Max|modem|umbb|1||2500||1.4.2.900
UCI||UCI|modem|uci|1||2500||1.3.6.210
USPPDUP||USP PDU Pro|pdu|usw|1||100||6.5.59.14777
USPPDUHD||USP PDU HD|pdu|usw|1||100||6.5.59.14777
USWDA25||UPS 2U|ups|usw|1||1000||1.6.1.413
USWDA23||UPS Tower|ups|usw|1||1000||1.6.1.413
USPRPS||USP RPS|rps|usw|1||1000||6.5.59.14777
UP1||USP Plug|plug|uap|0||0||2.2.1.511
UP6||USP Strip|plug|uap|0||0||2.2.1.511
UCKG2||UCK G2|controller|uck|1||1000||4.1.22.9000
UCKP||UCK G2 Plus|controller|uck|1||1000||4.1.22.9000
UNVR||UNVR|recorder||2||10000||5.0.13.20000
UNVRPRO||UNVR Pro|recorder||2||10000||5.0.13.20000
UVCG5B|UVC G5 Bullet|G5 Bullet|camera||1||100||4.74.88.600
UVCG5D|UVC G5 Dome|G5 Dome|camera||1||100||4.74.88.600
UVCG4P|UVC G4 Pro|G4 Pro|camera||1||1000||4.74.88.600
"""

_PROTECT = frozenset((Kind.CAMERA, Kind.RECORDER))


@cache
def models() -> dict[str, Model]:
    """Every product by its code."""
    rows = (line.split("|") for line in _TABLE.strip().splitlines())
    return {row[0]: _model(number, row) for number, row in enumerate(rows)}


def model_of(code: str) -> Model:
    """KeyError for a code the estate does not know."""
    return models()[code]


@cache
def codes_of(kind: Kind) -> tuple[str, ...]:
    return tuple(code for code, model in models().items() if model.kind is kind)


def _model(number: int, row: list[str]) -> Model:
    code, shortname, name, kind, record_type, ports, poe, speed, radios, version = row
    return Model(
        code=code,
        shortname=shortname or code,
        name=name,
        kind=Kind(kind),
        type=record_type,
        product_line="protect" if Kind(kind) in _PROTECT else "network",
        ports=int(ports),
        poe=bool(poe),
        speed=int(speed),
        radios=tuple(radios.split()),
        version=version,
        system_id=59900 + number,
    )
