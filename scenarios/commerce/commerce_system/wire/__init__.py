"""The generated code of `protos/commerce`. `make protos` writes it; nothing else belongs here."""
