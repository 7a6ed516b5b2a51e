#!/bin/sh
# Generates the Go code of the contract and of the other dialect. Needs protoc, protoc-gen-go and
# protoc-gen-go-grpc; `python -m grpc_tools.protoc` serves as protoc too.
set -eu
cd "$(dirname "$0")"
contract=../../protos
package=go-collector/internal/contract
mkdir -p internal/contract internal/accretional
${PROTOC:-protoc} -I "$contract" -I protos \
    --go_out=. --go_opt=module=go-collector \
    --go-grpc_out=. --go-grpc_opt=module=go-collector \
    --go_opt=Mcollector/common.proto=$package,Mcollector/dispatcher.proto=$package,Mcollector/registry.proto=$package \
    --go-grpc_opt=Mcollector/common.proto=$package,Mcollector/dispatcher.proto=$package,Mcollector/registry.proto=$package \
    --go_opt=Maccretional.proto=go-collector/internal/accretional \
    --go-grpc_opt=Maccretional.proto=go-collector/internal/accretional \
    collector/common.proto collector/dispatcher.proto collector/registry.proto accretional.proto
