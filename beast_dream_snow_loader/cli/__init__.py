"""The command line: one command, one result value, one renderer. Heavy imports stand inside the commands."""
