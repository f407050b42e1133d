"""What kinds of client there are: vendor block, host name, fingerprint codes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """``block`` is the vendor's 6 MAC digits, ``""`` for a private address. Fingerprint codes are UniFi's integers."""

    word: str
    block: str
    vendor: str
    wired: bool
    category: int
    family: int
    vendor_code: int
    os_name: int
    weight: int


def _profile(line: str) -> Profile:
    word, block, vendor, wired, category, family, code, os_name, weight = line.split("|")
    return Profile(
        word=word,
        block=block,
        vendor=vendor,
        wired=wired == "wired",
        category=int(category),
        family=int(family),
        vendor_code=int(code),
        os_name=int(os_name),
        weight=int(weight),
    )


# word | vendor block | vendor | link | dev_cat | dev_family | dev_vendor | os_name | weight
_TABLE = """
laptop|3C22FB|Apple, Inc.|wireless|1|1|320|24|20
notebook|8C8D28|Intel Corporate|wireless|1|1|47|56|20
phone|||wireless|44|3|320|24|30
android|||wireless|44|3|7|25|20
desktop|E454E8|Dell Inc.|wired|1|1|130|56|14
thinkcentre|98FA9B|LCFC(HeFei) Electronics|wired|1|1|93|56|8
printer|3C2AF4|Brother industries, LTD.|wired|11|11|26|0|4
copier|00206B|Konica Minolta Holdings, Inc.|wired|11|11|90|0|2
camera|ACCC8E|Axis Communications AB|wired|9|9|14|0|5
tv|64E4A5|LG Electronics|wireless|31|31|11|0|3
speaker|949F3E|Sonos, Inc.|wireless|4|4|151|0|3
thermostat|18B430|Nest Labs Inc.|wireless|51|51|130|0|2
raspberrypi|DCA632|Raspberry Pi Trading Ltd|wired|1|1|180|19|3
server|D4AE52|Dell Inc.|wired|56|56|130|19|4
desk-phone|805EC0|YEALINK(XIAMEN) NETWORK TECHNOLOGY CO.,LTD.|wired|26|26|400|0|6
scanner|00A0F8|Zebra Technologies Inc|wireless|27|27|410|0|3
"""

PROFILES = tuple(_profile(line) for line in _TABLE.strip().splitlines())
WEIGHTS = tuple(profile.weight for profile in PROFILES)
