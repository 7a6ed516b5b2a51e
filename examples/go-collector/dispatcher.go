package main

import (
	"context"
	"fmt"

	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/anypb"

	pb "go-collector/internal/contract"
)

// What crosses a hop beside the request.
var correlation = []string{"traceparent", "tracestate", "x-correlation-id"}

// dispatcher is collector.CollectiveDispatcher, but for the dialect of Connect: port.go mounts it.
type dispatcher struct {
	pb.UnimplementedCollectiveDispatcherServer
	id          string
	handlers    *handlers
	connections *connections
	// Nil where validation is off.
	validator *validator
}

// call is what Serve and Dispatch have in common.
type call struct {
	namespace, service, method string
	input                      *anypb.Any
}

func (d *dispatcher) Serve(ctx context.Context, request *pb.ServeRequest) (*pb.ServeResponse, error) {
	if missing := missing(request.GetNamespace(), request.GetService(), request.GetMethodName()); missing != "" {
		return unserved(400, missing), nil
	}
	return d.serve(ctx, call{request.GetNamespace(), request.GetService().GetServiceName(), request.GetMethodName(), request.GetInput()}), nil
}

func (d *dispatcher) Dispatch(ctx context.Context, request *pb.DispatchRequest) (*pb.DispatchResponse, error) {
	if missing := missing(request.GetNamespace(), request.GetService(), request.GetMethodName()); missing != "" {
		return dispatched(unserved(400, missing), ""), nil
	}
	c := call{request.GetNamespace(), request.GetService().GetServiceName(), request.GetMethodName(), request.GetInput()}
	if target := request.GetTargetCollectorId(); target != "" {
		return dispatched(d.toTarget(ctx, target, c), target), nil
	}
	served := d.toAny(ctx, c)
	return dispatched(served, served.GetExecutorId()), nil
}

// serve executes a call here, and nowhere else.
func (d *dispatcher) serve(ctx context.Context, c call) *pb.ServeResponse {
	if d.validator != nil {
		valid, err := d.validator.isValid(ctx, question{c.namespace, c.service, c.method})
		if err != nil {
			return unserved(503, fmt.Sprintf("the registry cannot be asked: %v", err))
		}
		if !valid {
			return unserved(404, fmt.Sprintf("service not registered in registry: %s/%s.%s", c.namespace, c.service, c.method))
		}
	}
	return d.handlers.run(ctx, c.namespace, c.service, c.method, c.input)
}

func (d *dispatcher) toTarget(ctx context.Context, target string, c call) *pb.ServeResponse {
	if target == d.id {
		return d.serve(ctx, c)
	}
	found := d.connections.get(target)
	if found == nil {
		return unserved(404, fmt.Sprintf("no connection to collector '%s'", target))
	}
	if !found.shares(c.namespace) {
		return unserved(404, fmt.Sprintf("namespace '%s' is not shared with collector '%s'", c.namespace, target))
	}
	ctx, cancel := forwarding(ctx)
	defer cancel()
	response, _ := found.serve(ctx, c.request())
	return response
}

func (d *dispatcher) toAny(ctx context.Context, c call) *pb.ServeResponse {
	if found, _ := d.handlers.find(c.namespace, c.service, c.method); found != nil {
		return d.serve(ctx, c)
	}
	forward, cancel := forwarding(ctx)
	defer cancel()
	var failure *pb.ServeResponse
	for _, candidate := range d.connections.sharing(c.namespace) {
		response, sent := candidate.serve(forward, c.request())
		code := response.GetStatus().GetCode()
		if code == 404 || code == 501 {
			continue
		}
		if sent || forward.Err() != nil {
			// It has run, or may have: it must not run twice.
			if response.ExecutorId == "" {
				response.ExecutorId = candidate.id
			}
			return response
		}
		failure = response
	}
	if failure != nil {
		return failure
	}
	return unserved(404, fmt.Sprintf("no collector found for namespace '%s'", c.namespace))
}

func (p *peer) shares(namespace string) bool {
	for _, name := range p.shared {
		if name == namespace {
			return true
		}
	}
	return false
}

func (c call) request() *pb.ServeRequest {
	return &pb.ServeRequest{
		Namespace:  c.namespace,
		Service:    &pb.ServiceTypeRef{Namespace: c.namespace, ServiceName: c.service},
		MethodName: c.method,
		Input:      c.input,
	}
}

// forwarding bounds a forwarded call where the caller does not, and takes along what tells that
// the calls belong together.
func forwarding(ctx context.Context) (context.Context, context.CancelFunc) {
	if incoming, ok := metadata.FromIncomingContext(ctx); ok {
		outgoing := metadata.MD{}
		for _, name := range correlation {
			if values := incoming.Get(name); len(values) > 0 {
				outgoing.Set(name, values...)
			}
		}
		ctx = metadata.NewOutgoingContext(ctx, outgoing)
	}
	if _, bounded := ctx.Deadline(); bounded {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, forwardLimit)
}

// missing tells why a request is no request, or nothing.
func missing(namespace string, service *pb.ServiceTypeRef, method string) string {
	switch {
	case namespace == "":
		return "namespace is required"
	case service.GetServiceName() == "":
		return "service is required"
	case method == "":
		return "method_name is required"
	case service.GetNamespace() != "" && service.GetNamespace() != namespace:
		return fmt.Sprintf("service.namespace '%s' contradicts namespace '%s'", service.GetNamespace(), namespace)
	}
	return ""
}

func unserved(code pb.Status_Code, message string) *pb.ServeResponse {
	return &pb.ServeResponse{Status: inBand(code, message)}
}

func dispatched(served *pb.ServeResponse, handledBy string) *pb.DispatchResponse {
	return &pb.DispatchResponse{Status: served.GetStatus(), Output: served.GetOutput(), HandledByCollectorId: handledBy}
}
