package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"sync"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	pb "go-collector/internal/contract"
)

// handler executes a method. What it returns must be a message, an Any or nil; an error's text
// goes to the caller.
type handler func(ctx context.Context, input *anypb.Any) (any, error)

// handlers is the table of what this collector executes itself.
type handlers struct {
	id    string
	mutex sync.RWMutex
	table map[string]map[pair]handler
}

func newHandlers(id string) *handlers {
	return &handlers{id: id, table: map[string]map[pair]handler{}}
}

func (h *handlers) add(namespace, service string, methods map[string]handler) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	if h.table[namespace] == nil {
		h.table[namespace] = map[pair]handler{}
	}
	for name, each := range methods {
		h.table[namespace][pair{service, name}] = each
	}
}

// find returns the handler, and whether the namespace has any.
func (h *handlers) find(namespace, service, method string) (handler, bool) {
	h.mutex.RLock()
	defer h.mutex.RUnlock()
	methods, known := h.table[namespace]
	return methods[pair{service, method}], known
}

// run executes a method here and turns every outcome into an answer.
func (h *handlers) run(ctx context.Context, namespace, service, method string, input *anypb.Any) *pb.ServeResponse {
	found, known := h.find(namespace, service, method)
	if !known {
		return h.answer(404, fmt.Sprintf("namespace '%s' not found", namespace), nil)
	}
	if found == nil {
		return h.answer(404, fmt.Sprintf("method '%s.%s' not found in namespace '%s'", service, method, namespace), nil)
	}
	output, err := guarded(ctx, found, input)
	if err != nil {
		if ctx.Err() != nil {
			return h.answer(504, "the caller gave up", nil)
		}
		return h.answer(500, "handler error: "+err.Error(), nil)
	}
	packed, err := pack(output)
	if err != nil {
		log.Printf("%s/%s.%s: %v", namespace, service, method, err)
		return h.answer(500, "handler error: the output is no message", nil)
	}
	return h.answer(200, "OK", packed)
}

var errCrashed = errors.New("internal error")

// guarded runs a handler; what a panic says goes to the log and not to the caller.
func guarded(ctx context.Context, run handler, input *anypb.Any) (output any, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			log.Printf("a handler panicked: %v", cause)
			output, err = nil, errCrashed
		}
	}()
	return run(ctx, input)
}

func pack(output any) (*anypb.Any, error) {
	switch value := output.(type) {
	case nil:
		return nil, nil
	case *anypb.Any:
		return value, nil
	case proto.Message:
		return anypb.New(value)
	default:
		return nil, fmt.Errorf("a handler returned %T", output)
	}
}

func (h *handlers) answer(code pb.Status_Code, message string, output *anypb.Any) *pb.ServeResponse {
	return &pb.ServeResponse{Status: inBand(code, message), Output: output, ExecutorId: h.id}
}
