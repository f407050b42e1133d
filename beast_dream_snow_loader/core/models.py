"""The products we know: model code → SKU and kind (unifi-api 4.3; tnware/unifi-controller-api, developer.ui.com)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

# One line per product: SKU = codes of the controller API | further spellings of Site Manager and firmware.
_PRODUCTS: Mapping[str, str] = {
    "gateway": """
        UCG-Fiber = UDMA6A8 | UCGF
        UCG-Industrial = UDMA6AD
        UCG-Max = UCGMAX
        UCG-Ultra = UDRULT
        UDM = UDM
        UDM-Enterprise = UDMENT
        UDM-Pro = UDMPRO
        UDM-Pro-Max = UDMPROMAX
        UDM-SE = UDMPROSE
        UDR = UDR
        UDR-5G-Max = UDMA6B9 | UDR5G
        UDR7 = UDMA67A | UDR7
        UDW = UDW
        UDWPRO = UDWPRO
        USG = UGWHD4
        USG-3P = UGW3
        USG-Pro-4 = UGW4
        USG-XG-8 = UGWXG
        UX = UX
        UX7 = UDMA69B | UX7 UXMAX
        UXG = UXG
        UXG-Enterprise = UXGENT
        UXG-Fiber = UXGA6AA | UXGFIBER
        UXG-Pro = UXGPRO
        UXGB = UXGB
    """,
    "controller": """
        UAS-XG = UASXG
        UCK = UCK UCK-v2 UCK-v3
        UCK-Enterprise = UCKENT
        UCK-G2 = UCKG2 | CLOUDKEYGEN2
        UCK-G2-Plus = UCKP | CLOUDKEYGEN2PLUS
    """,
    "nvr": """
        ENVR = ENVR
        UNVR = UNVR UNVR4
        UNVR-Instant = UNVRINS
        UNVR-PRO = UNVR-Pro UNVRPRO
    """,
    "nas": """
        UNAS Pro = UNASPRO
        UNAS Stu = UNASSTU UNASSTU-BK
        UNAS-2-B = UNAS2B
        UNAS-2-W = UNAS2W
        UNAS-4-B = UNASEA66
        UNAS-4-W = UNASEA65
        UNAS-Pro-4 = UNASEA67
        UNAS-Pro-8 = UNASEA63
    """,
    "ups": """
        UPS-2U = USWDA25 USWDA26
        UPS-Tower = USWDA23 USWDA24
    """,
    "switch": """
        ECS-24-PoE = USWF067
        ECS-24S-PoE = USWF004
        ECS-48-PoE = USWF069
        ECS-48S-PoE = USWF006
        ECS-Aggregation = USWF066
        US-16-150W = S216150 US16P150
        US-16-XG = USXG
        US-24-250W = S224250 US24P250
        US-24-500W = S224500 US24P500
        US-48-500W = S248500 US48P500
        US-48-750W = S248750 US48P750
        US-48-G1 = US48
        US-8 = US8 USC8
        US-8-150W = S28150 US8P150 USC8P150
        US-8-60W = US8P60 USC8P60
        US-L2-24-PoE = US24PL2
        US-L2-48-PoE = US48PL2
        US-XG-6PoE = US6XG150
        USW-16-PoE = USL16P USL16PB
        USW-24-G1 = US24
        USW-24-G2 = USL24 USL24B
        USW-24-PoE = USL24P USL24PB
        USW-48-G2 = USL48 USL48B
        USW-48-PoE = USL48P USL48PB
        USW-Aggregation = USL8A
        USW-Enterprise-24-PoE = US624P
        USW-Enterprise-48-PoE = US648P
        USW-Enterprise-8-PoE = US68P
        USW-EnterpriseXG-24 = USXG24
        USW-Flex = USF5P
        USW-Flex-2.5G-5 = USWED35 | USM25G5
        USW-Flex-2.5G-8 = USWED36 | USM25G8
        USW-Flex-2.5G-8-PoE = USWED37 | USM25G8P
        USW-Flex-Mini = USMINI USMINI2
        USW-Flex-XG = USFXG
        USW-Industrial = USC8P450 USWED05
        USW-Leaf = UDC48X6
        USW-Lite-16-PoE = USL16LP USL16LPB
        USW-Lite-8-PoE = USL8LP USL8LPB
        USW-Mission-Critical = USL8MP
        USW-Pro-24 = US24PRO2
        USW-Pro-24-PoE = US24PRO
        USW-Pro-48 = US48PRO2
        USW-Pro-48-PoE = US48PRO
        USW-Pro-8-PoE = USLP8P
        USW-Pro-Aggregation = USAGGPRO
        USW-Pro-HD-24 = USWED73
        USW-Pro-HD-24-PoE = USWED72
        USW-Pro-Max-16 = USPM16
        USW-Pro-Max-16-PoE = USPM16P
        USW-Pro-Max-24 = USPM24
        USW-Pro-Max-24-PoE = USPM24P
        USW-Pro-Max-48 = USPM48
        USW-Pro-Max-48-PoE = USPM48P
        USW-Pro-XG-10-PoE = USWED77
        USW-Pro-XG-24 = USWED45
        USW-Pro-XG-24-PoE = USWED44
        USW-Pro-XG-48 = USWED43
        USW-Pro-XG-48-PoE = USWED42
        USW-Pro-XG-8-PoE = USWED76 | USPXG8P
        USW-Pro-XG-Aggregation = USWF003
        USW-Ultra = USM8P USM8P210 USM8P60
        USW-WAN = USWED74
        USW-WAN-RJ45 = USWED75
        USW-XP-24-PoE = USLP24P
        USW-XP-48-PoE = USLP48P
    """,
    "ap": """
        E7 = UAPA697
        E7-Audience = UAPA699
        E7-Audience-EU = UAPA6AB
        E7-Audience-Indoor = UAPA6AF
        E7-Campus = UAPA698
        E7-Campus-EU = UAPA6B1
        E7-Campus-Indoor = UAPA6BC
        PICOM2HP = p2N
        U6+ = UAPL6 | U6PLUS
        U6-Enterprise = U6ENT
        U6-Enterprise-IW = U6ENTIW
        U6-Extender = U6EXT
        U6-Extender-EA = UAE6
        U6-IW = U6IW
        U6-IW-EA = UAIW6
        U6-Lite = UAL6
        U6-LR = UALR6v2 UALR6v3 UAP6
        U6-LR-EA = UALR6
        U6-Mesh = U6M
        U6-Mesh-EA = UAM6
        U6-Mesh-Pro = U6MP
        U6-PLUS-LR = UALRPL6
        U6-Pro = UAP6MP
        U7-Enterprise = U7ENT
        U7-IW = UAPA6A5 | G7IW
        U7-Lite = UAPA693 | G7LT
        U7-LR = G7LR UAPA6B3
        U7-Mesh = UAPA69E
        U7-Outdoor = UKPW
        U7-Pro = U7PRO
        U7-Pro-Max = U7PROMAX
        U7-Pro-Outdoor = UAPA6A6 | U7PO
        U7-Pro-Outdoor-EU = UAPA6B0
        U7-Pro-Wall = U7PIW
        U7-Pro-XG = UAPA6A9 | U7PROXG
        U7-Pro-XG-B = UAPA6AE
        U7-Pro-XG-Wall = UAPA6BA
        U7-Pro-XGS = UAPA6A4 | U7PROXGS
        U7-Pro-XGS-B = UAPA6AC
        UAP = BZ2 U2S48
        UAP-AC = U7E U7Ev2
        UAP-AC-EDU = U7EDU
        UAP-AC-HD = U7HD | ACHD
        UAP-AC-IW = U7IW | ACIW
        UAP-AC-IW-Pro = U7IWP
        UAP-AC-Lite = U7LT | ACLITE
        UAP-AC-LR = U7LR | ACLR
        UAP-AC-M = U7MSH | ACMESH
        UAP-AC-M-Pro = U7MP | ACMESHPRO
        UAP-AC-Outdoor = U7O
        UAP-AC-Pro = U7PG2 | ACPRO
        UAP-AC-SHD = U7SHD
        UAP-BeaconHD = UDMB
        UAP-FlexHD = UFLHD | FLEXHD
        UAP-IW = U2IW
        UAP-IW-HD = UHDIW
        UAP-LR = BZ2LR U2L48
        UAP-LRv2 = U2Lv2
        UAP-Mini = U2M
        UAP-nanoHD = U7NHD | NANOHD
        UAP-Outdoor = U2O
        UAP-Outdoor+ = U2HSR
        UAP-Outdoor5 = U5O
        UAP-Pro = U7P
        UAP-XG = UCXG
        UAP-XG-Mesh = UCMSH
        UAPv2 = U2Sv2
        UK-Ultra = U7UKU
        UWB-XG = UXSDM
        UWB-XG-BK = UXBSDM
    """,
    "pdu": """
        USP-PDU-HD = USPPDUHD
        USP-PDU-Pro = USPPDUP
        USP-Plug = UP1
        USP-Strip = UP6
    """,
    "power": """
        USP-RPS = USPRPS USPRPSP
        USP Battery = UPB
    """,
    "phone": """
        UVP = UP5 UP5c
        UVP-Executive = UP7 UP7c
        UVP-Pro = UP5t UP5tc
        UVP-X = UP4
    """,
    "network-other": """
        Magic PoE = UACCMPOEAF
        UBB = UBB
        UBB-XG = UBBXG
        UDB-IoT = UACCEA03
        UDB-Pro = UDB
        UDB-Pro-Sector = UDBE802
        UDB-Switch = UDBA69F
        U-LTE = ULTE
        U-LTE-Pro = ULTEPEU ULTEPUS
        U5G-Max = UMBBE630
        U5G-Max-Outdoor = UMBBE631
        UCI = UCI
        UTR = UTREA06
    """,
    "other": """
        UACC-SFP-Wizard = USFPW
    """,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One product. ``codes`` are what the controller API calls it, ``aliases`` other spellings seen elsewhere."""

    sku: str
    kind: str
    codes: tuple[str, ...]
    aliases: tuple[str, ...] = ()


def _parse(kind: str, line: str) -> Model:
    sku, _, rest = line.partition(" = ")
    codes, _, aliases = rest.partition(" | ")
    return Model(sku=sku.strip(), kind=kind, codes=tuple(codes.split()), aliases=tuple(aliases.split()))


MODELS: tuple[Model, ...] = tuple(
    _parse(kind, line) for kind, lines in _PRODUCTS.items() for line in lines.splitlines() if line.strip()
)


def spelling(text: str) -> str:
    """What is compared: ``USW Flex Mini``, ``USW-Flex-Mini`` and ``UswFlexMini`` are one."""
    return text.replace(" ", "").replace("-", "").replace("_", "").casefold()


_BY_CODE: dict[str, Model] = {}
_BY_NAME: dict[str, Model] = {}
for _model in MODELS:
    for _code in (*_model.codes, *_model.aliases):
        _BY_CODE.setdefault(spelling(_code), _model)
    _BY_NAME.setdefault(spelling(_model.sku), _model)


@lru_cache(maxsize=4096)
def find_model(code: str | None, name: str | None) -> Model | None:
    """The product behind a code or a marketing name; None when neither is known.

    Code before name, because ``U7IW`` (UAP-AC-IW) and ``U7-IW`` differ only by a hyphen. Some APIs put the code into
    the name's place and the other way round (unifi-api 2.4), so each is tried in the other list last.
    """
    tries = ((_BY_CODE, code), (_BY_NAME, name), (_BY_CODE, name), (_BY_NAME, code))
    return next((table[key] for table, text in tries if text and (key := spelling(text)) in table), None)
