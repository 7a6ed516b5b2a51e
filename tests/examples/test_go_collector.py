"""The collector in Go is accused of nothing, and its code is made from the contract as it is."""

from __future__ import annotations

import subprocess

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

from collector_harness.resources import descriptor_set

CONTRACT = ("common", "dispatcher", "registry")
CANNOT = {"SEC-002", "OPS-005", "CNC-003", "OPS-006", "SRV-006"}
"""Tokens, persistence, and what only a Python API shows."""

READ = """
package main

import (
	"os"
	"go-collector/internal/contract"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

func main() {
	set := &descriptorpb.FileDescriptorSet{}
	for _, file := range []protoreflect.FileDescriptor{
		contract.File_collector_common_proto,
		contract.File_collector_dispatcher_proto,
		contract.File_collector_registry_proto,
	} {
		set.File = append(set.File, protodesc.ToFileDescriptorProto(file))
	}
	bytes, err := proto.Marshal(set)
	if err != nil {
		panic(err)
	}
	os.Stdout.Write(bytes)
}
"""


def test_it_is_accused_of_nothing(go_collector, expect_verdict):
    expect_verdict(go_collector, cannot=CANNOT, known=set(), at_least=102)


def test_its_code_is_generated_from_the_contract_as_it_is(go_collector):
    """Where this fails, the contract has changed: run its generate.sh."""
    folder = go_collector / "cmd" / "contract"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "main.go").write_text(READ)
    ended = subprocess.run(
        ["go", "run", "./cmd/contract"],
        cwd=go_collector,
        capture_output=True,
        timeout=300,
        check=True,
    )
    generated = {file.name: plain(file) for file in FileDescriptorSet.FromString(ended.stdout).file}
    handed = {
        file.name: plain(file) for file in FileDescriptorSet.FromString(descriptor_set()).file
    }
    assert generated.keys() == {f"collector/{name}.proto" for name in CONTRACT}
    assert generated == {name: handed[name] for name in generated}


def plain(file: FileDescriptorProto) -> FileDescriptorProto:
    """Returns a file without what a generator for one language leaves in it."""
    copy = FileDescriptorProto.FromString(file.SerializeToString())
    copy.ClearField("options")
    copy.ClearField("source_code_info")
    for message in copy.message_type:
        for field in message.field:
            field.ClearField("json_name")
    return copy
