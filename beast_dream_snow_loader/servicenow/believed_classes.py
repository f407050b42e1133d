"""The class tree as it is on a bare instance (cmdb-model 1.1): believed only where the instance will not tell."""

from __future__ import annotations

HARDWARE = "cmdb_ci_hardware"

PARENTS = {
    "cmdb_ci": "cmdb",
    HARDWARE: "cmdb_ci",
    "cmdb_ci_netgear": HARDWARE,
    "cmdb_ci_ip_router": "cmdb_ci_netgear",
    "cmdb_ci_ip_switch": "cmdb_ci_netgear",
    "cmdb_ci_ip_firewall": "cmdb_ci_netgear",
    "cmdb_ci_wap_network": "cmdb_ci_netgear",
    "cmdb_ci_network_node": "cmdb_ci_netgear",
    "cmdb_ci_network_controller": "cmdb_ci_netgear",
    "cmdb_ci_computer": HARDWARE,
    "cmdb_ci_server": "cmdb_ci_computer",
    "cmdb_ci_storage_server": "cmdb_ci_server",
    "cmdb_ci_ups": HARDWARE,
    "cmdb_ci_pdu": HARDWARE,
    "cmdb_ci_printer": HARDWARE,
    "cmdb_ci_handheld_computing": HARDWARE,
    "cmdb_ci_comm_hardware": HARDWARE,
    "cmdb_ci_unclassified_hardware": HARDWARE,
    "cmdb_ci_iot": HARDWARE,
    "cmdb_ci_imaging": "cmdb_ci_iot",
    "cmdb_ci_ip_camera": "cmdb_ci_imaging",
    "cmdb_ci_security": "cmdb_ci_iot",
    "cmdb_ci_display": "cmdb_ci_iot",
    "cmdb_ci_stv": "cmdb_ci_display",
    "cmdb_ci_multimedia": "cmdb_ci_iot",
    "cmdb_ci_game_console": "cmdb_ci_multimedia",
    "cmdb_ci_media_player": "cmdb_ci_multimedia",
}
"""Class to parent. Parents of the network controller, handheld, communication and unclassified hardware, and printer
are believed (cmdb-model 7, point 7)."""

BASE_HARDWARE = frozenset(
    {
        HARDWARE,
        "cmdb_ci_netgear",
        "cmdb_ci_ip_router",
        "cmdb_ci_ip_switch",
        "cmdb_ci_ip_firewall",
        "cmdb_ci_wap_network",
        "cmdb_ci_computer",
        "cmdb_ci_server",
        "cmdb_ci_storage_server",
        "cmdb_ci_ups",
        "cmdb_ci_pdu",
        "cmdb_ci_printer",
    }
)
"""Delivered with the base system and below the Hardware Rule; the others come with a Store app."""

NOT_HARDWARE = frozenset({"cmdb_ci_ip_phone", "cmdb_ci_comm", "cmdb_ci_peripheral", "cmdb_ci"})
"""On every instance, but outside the Hardware Rule."""
