package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	pb "go-collector/internal/contract"
)

const registryService = "collector.CollectorRegistry"

// run serves until SIGTERM or SIGINT. The order matters: every service is mounted before the
// port answers, and the wiring is proved before the ready line.
func run(s *settings) error {
	stopping, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	listening, dialling, err := transports(s)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", s.listen)
	if err != nil {
		return fmt.Errorf("cannot listen on %s: %w", s.listen, err)
	}
	address := dialable(s.listen, listener.Addr().(*net.TCPAddr).Port)
	registryChannel, err := dial(orElse(s.registryAddress, address), dialling)
	if err != nil {
		return err
	}
	defer registryChannel.Close()

	kept := newStore()
	peers := newConnections(s.id, s.namespaces, dialling)
	defer peers.close()
	d := &dispatcher{id: s.id, handlers: newHandlers(s.id), connections: peers}
	asking := newValidator(registryChannel)
	door := &doorkeeper{}
	unaries, streams := []grpc.UnaryServerInterceptor{door.unary}, []grpc.StreamServerInterceptor{door.stream}
	if s.validation {
		d.validator = asking
		kept.changed = asking.forget
		port := &guard{kept, s.systemNamespace}
		unaries, streams = append(unaries, port.unary), append(streams, port.stream)
	}
	server := grpc.NewServer(
		grpc.Creds(listening),
		grpc.MaxRecvMsgSize(messageSize),
		grpc.ChainUnaryInterceptor(unaries...),
		grpc.ChainStreamInterceptor(streams...),
	)
	defer server.Stop()
	mountDispatcher(server, d, s.accretional)
	pb.RegisterCollectorRegistryServer(server, &registry{store: kept, systemNamespace: s.systemNamespace})
	alive := health.NewServer()
	healthpb.RegisterHealthServer(server, alive)
	reflection.Register(server)
	if len(s.probe) > 0 {
		mountPort(server)
		each := newProbe(s.id)
		for _, namespace := range s.probe {
			d.handlers.add(namespace, probeService, each.handlers())
			kept.addService(namespace, each.descriptor())
		}
	}
	for name, info := range server.GetServiceInfo() {
		kept.addService(s.systemNamespace, described(name, info))
	}
	go func() {
		if err := server.Serve(listener); err != nil {
			log.Printf("the port is closed: %v", err)
		}
	}()

	if s.validation {
		if err := proveWiring(stopping, s, asking); err != nil {
			return err
		}
		go watchRegistry(stopping, s, asking, alive)
	}
	if s.registryAddress != "" {
		if err := registerProbe(stopping, s, pb.NewCollectorRegistryClient(registryChannel)); err != nil {
			return err
		}
	}
	fmt.Printf("collector listening on %s\n", address)
	for _, peer := range s.connect {
		plain, marked := strings.CutPrefix(peer, accretionalMark)
		go peers.keepConnecting(stopping, plain, orElse(s.advertise, address), marked || s.accretional)
	}
	<-stopping.Done()
	alive.Shutdown()
	door.close()
	flush(server)
	return nil
}

// flush lets the last answers leave; what is open after that is nobody's call.
func flush(server *grpc.Server) {
	timer := time.AfterFunc(refusingWindow, server.Stop)
	defer timer.Stop()
	server.GracefulStop()
}

// described is what the registry knows of a service on the port.
func described(name string, info grpc.ServiceInfo) *descriptorpb.ServiceDescriptorProto {
	descriptor := &descriptorpb.ServiceDescriptorProto{Name: proto.String(name)}
	for _, method := range info.Methods {
		if open(name, method.Name) {
			descriptor.Method = append(descriptor.Method, &descriptorpb.MethodDescriptorProto{
				Name:            proto.String(method.Name),
				ClientStreaming: proto.Bool(method.IsClientStream),
				ServerStreaming: proto.Bool(method.IsServerStream),
			})
		}
	}
	return descriptor
}

// proveWiring asks the registry the question that every call will ask.
func proveWiring(ctx context.Context, s *settings, asking *validator) error {
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	for {
		valid, err := asking.ask(ctx, question{s.systemNamespace, registryService, "ValidateMethod"})
		if err == nil {
			// A remote registry need not know our namespace: that it answers is all.
			if !valid && s.registryAddress == "" {
				return fmt.Errorf("the registry does not know its own methods")
			}
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the registry cannot be asked: %v", err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// watchRegistry keeps the health service honest about the registry.
func watchRegistry(ctx context.Context, s *settings, asking *validator, alive *health.Server) {
	ticker := time.NewTicker(250 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			state := healthpb.HealthCheckResponse_SERVING
			if _, err := asking.ask(ctx, question{s.systemNamespace, registryService, "ValidateMethod"}); err != nil {
				state = healthpb.HealthCheckResponse_NOT_SERVING
			}
			alive.SetServingStatus("", state)
		}
	}
}

// registerProbe makes the probe known to a registry that is not the collector's own.
func registerProbe(ctx context.Context, s *settings, registry pb.CollectorRegistryClient) error {
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	for _, namespace := range s.probe {
		_, err := registry.RegisterService(ctx, &pb.RegisterServiceRequest{
			Namespace: namespace, ServiceDescriptor: newProbe(s.id).descriptor(),
		})
		if code := status.Code(err); code != codes.OK && code != codes.AlreadyExists && code != codes.Unimplemented {
			return fmt.Errorf("the registry does not take the probe: %s", code)
		}
	}
	return nil
}

// doorkeeper counts the unary calls in flight, and refuses new ones once the collector stops.
type doorkeeper struct {
	mutex   sync.Mutex
	closing bool
	calls   sync.WaitGroup
}

func (d *doorkeeper) enter(path string) error {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	// Calls in flight may still have to ask the registry over this very port.
	if d.closing && path != validateMethod {
		return status.Error(codes.Unavailable, "the collector is stopping")
	}
	d.calls.Add(1)
	return nil
}

func (d *doorkeeper) unary(ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	if err := d.enter(info.FullMethod); err != nil {
		return nil, err
	}
	defer d.calls.Done()
	return handler(ctx, request)
}

func (d *doorkeeper) stream(server any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	if err := d.enter(info.FullMethod); err != nil {
		return err
	}
	// A stream may stay open for ever, as one that watches health does: nobody waits for it.
	d.calls.Done()
	return handler(server, stream)
}

// close returns when no call is in flight any more, or the grace period is over.
func (d *doorkeeper) close() {
	d.mutex.Lock()
	d.closing = true
	d.mutex.Unlock()
	time.Sleep(refusingWindow)
	idle := make(chan struct{})
	go func() {
		d.calls.Wait()
		close(idle)
	}()
	select {
	case <-idle:
	case <-time.After(graceLimit):
		log.Printf("calls in flight were cut after %s", graceLimit)
	}
}

// dialable is the address by which a listener is reached; a wildcard cannot be dialled.
func dialable(listen string, port int) string {
	host, _, _ := net.SplitHostPort(listen)
	switch host {
	case "", "0.0.0.0":
		host = "127.0.0.1"
	case "::":
		host = "::1"
	}
	return net.JoinHostPort(host, fmt.Sprint(port))
}

func main() {
	log.SetOutput(os.Stderr)
	s, err := settingsFrom(os.Getenv)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if err := run(s); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
