"""The commands of `collector-harness`, a module each with an attribute `command`.

Nothing is imported here: a command's module is imported when the command is called, and
imports what is heavy inside its function.
"""
