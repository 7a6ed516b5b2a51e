package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "go-collector/internal/contract"
)

const validateMethod = "/collector.CollectorRegistry/ValidateMethod"

type question struct{ namespace, service, method string }

type answer struct {
	valid bool
	until time.Time
}

// validator asks a registry over gRPC, the collector's own one at its bound port, and remembers
// the answers for cacheLife.
type validator struct {
	registry   pb.CollectorRegistryClient
	generation atomic.Uint64
	mutex      sync.Mutex
	known      map[question]answer
	knownOf    uint64
}

func newValidator(connection *grpc.ClientConn) *validator {
	return &validator{registry: pb.NewCollectorRegistryClient(connection), known: map[question]answer{}}
}

// forget makes every answer that was given before now worthless.
func (v *validator) forget() { v.generation.Add(1) }

// isValid fails where the registry cannot be asked, and then says nothing of the method.
func (v *validator) isValid(ctx context.Context, q question) (bool, error) {
	now := time.Now()
	generation := v.generation.Load()
	v.mutex.Lock()
	if v.knownOf != generation || len(v.known) >= 10_000 {
		v.known, v.knownOf = map[question]answer{}, generation
	}
	found, known := v.known[q]
	v.mutex.Unlock()
	if known && now.Before(found.until) {
		return found.valid, nil
	}
	valid, err := v.ask(ctx, q)
	if err != nil {
		return false, err
	}
	v.mutex.Lock()
	// An answer from before a registration must not outlive it.
	if v.knownOf == generation && v.generation.Load() == generation {
		v.known[q] = answer{valid, now.Add(cacheLife)}
	}
	v.mutex.Unlock()
	return valid, nil
}

func (v *validator) ask(ctx context.Context, q question) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, connectLimit)
	defer cancel()
	response, err := v.registry.ValidateMethod(ctx, &pb.ValidateMethodRequest{
		Namespace: q.namespace, ServiceName: q.service, MethodName: q.method,
	})
	if err != nil {
		return false, fmt.Errorf("%s", status.Convert(err).Code())
	}
	switch code := response.GetStatus().GetCode(); {
	case response.GetStatus() == nil:
		return false, fmt.Errorf("it answered without a status")
	case code == pb.Status_OK:
		return response.GetIsValid(), nil
	case code == pb.Status_NOT_FOUND:
		return false, nil
	default:
		return false, fmt.Errorf("it answered %s", code)
	}
}

// guard stands before every RPC on the port: only what is registered in the system namespace
// passes. It asks the store itself, as a question over the port would have to pass the guard.
type guard struct {
	store           *store
	systemNamespace string
}

func (g *guard) check(fullMethod string) error {
	service, method, _ := strings.Cut(strings.TrimPrefix(fullMethod, "/"), "/")
	if g.store.has(g.systemNamespace, service, method) {
		return nil
	}
	return status.Errorf(codes.Unimplemented, "method %s is not registered in namespace '%s'", fullMethod, g.systemNamespace)
}

func (g *guard) unary(ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	if err := g.check(info.FullMethod); err != nil {
		return nil, err
	}
	return handler(ctx, request)
}

func (g *guard) stream(server any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	if err := g.check(info.FullMethod); err != nil {
		return err
	}
	return handler(server, stream)
}
