"""The generated code of `protos/identity`. `make protos` writes it; nothing else belongs here."""
