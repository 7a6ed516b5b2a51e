"""The generated contract: message classes, stubs and the descriptor set, made by `make protos`.

Nothing here is written by hand but this file. The classes live under a protobuf
package of their own, so that an author's own code for package ``collector``
loads into the same process; service paths and ``collector.binpb`` (a serialized
``FileDescriptorSet`` with its imports) carry the true name.
"""
