"""snowload: keeps a ServiceNow CMDB true to a UniFi network inventory."""

__version__ = "0.1.0"
