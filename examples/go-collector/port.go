package main

import (
	"context"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"go-collector/internal/accretional"
	pb "go-collector/internal/contract"
)

const portService = "conformance.Port"

// mountDispatcher puts the dispatcher on the server. Which message Connect takes is a matter of
// the dialect; the bytes do not tell.
func mountDispatcher(server *grpc.Server, d *dispatcher, isAccretional bool) {
	description := pb.CollectiveDispatcher_ServiceDesc
	description.Methods = nil
	for _, method := range pb.CollectiveDispatcher_ServiceDesc.Methods {
		if method.MethodName == "Connect" {
			method.Handler = connectHandler(d.connections, isAccretional)
		}
		description.Methods = append(description.Methods, method)
	}
	server.RegisterService(&description, d)
}

func connectHandler(c *connections, isAccretional bool) grpc.MethodHandler {
	if isAccretional {
		return unary(connectMethod, func(_ context.Context, request *accretional.ConnectRequest) (any, error) {
			return c.accept(request.GetMetadata()["collector_id"], request.GetAddress(), request.GetNamespaces()), nil
		})
	}
	return unary(connectMethod, func(_ context.Context, request *pb.ConnectRequest) (any, error) {
		return c.accept(request.GetCollectorId(), request.GetAddress(), request.GetNamespaces()), nil
	})
}

// unary makes a method handler of a function, the interceptors in front of it.
func unary[Request any](path string, run func(context.Context, *Request) (any, error)) grpc.MethodHandler {
	return func(server any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
		request := new(Request)
		if err := decode(request); err != nil {
			return nil, err
		}
		handler := func(ctx context.Context, request any) (any, error) { return run(ctx, request.(*Request)) }
		if interceptor == nil {
			return handler(ctx, request)
		}
		return interceptor(ctx, request, &grpc.UnaryServerInfo{Server: server, FullMethod: path}, handler)
	}
}

// mountPort puts conformance.Port on the server, by which the guard is seen from outside.
func mountPort(server *grpc.Server) {
	runs := &atomic.Int64{}
	count := func(context.Context, *emptypb.Empty) (any, error) {
		runs.Add(1)
		return &emptypb.Empty{}, nil
	}
	tell := func(context.Context, *emptypb.Empty) (any, error) { return wrapperspb.Int64(runs.Load()), nil }
	three := func(_ any, stream grpc.ServerStream) error {
		if err := stream.RecvMsg(&emptypb.Empty{}); err != nil {
			return err
		}
		runs.Add(1)
		for range 3 {
			if err := stream.SendMsg(&emptypb.Empty{}); err != nil {
				return err
			}
		}
		return nil
	}
	path := func(name string) string { return "/" + portService + "/" + name }
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: portService,
		HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{
			{MethodName: "Unary", Handler: unary(path("Unary"), count)},
			{MethodName: "Unregistered", Handler: unary(path("Unregistered"), count)},
			{MethodName: "Runs", Handler: unary(path("Runs"), tell)},
		},
		Streams: []grpc.StreamDesc{
			{StreamName: "Stream", Handler: three, ServerStreams: true},
			{StreamName: "UnregisteredStream", Handler: three, ServerStreams: true},
		},
	}, nil)
}

// open tells which methods of the port's own services are registered: all but two of the probe's.
func open(service, method string) bool {
	return service != portService || (method != "Unregistered" && method != "UnregisteredStream")
}
