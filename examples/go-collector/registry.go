package main

import (
	"context"
	"fmt"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"google.golang.org/protobuf/types/descriptorpb"

	pb "go-collector/internal/contract"
)

// pair is the key of a record. A joined text would let ("a/b", "c") meet ("a", "b/c").
type pair struct{ namespace, name string }

// store holds the records of the registry in memory.
type store struct {
	mutex    sync.RWMutex
	services map[pair]*record
	order    []*record
	protos   map[pair]struct{}
	changed  func()
}

type record struct {
	service *pb.RegisteredService
	methods map[string]struct{}
}

func newStore() *store {
	return &store{
		services: map[pair]*record{},
		protos:   map[pair]struct{}{},
		changed:  func() {},
	}
}

// addService stores a service and tells whether it is new.
func (s *store) addService(namespace string, descriptor *descriptorpb.ServiceDescriptorProto) (*record, bool) {
	methods := map[string]struct{}{}
	names := []string{}
	for _, method := range descriptor.GetMethod() {
		methods[method.GetName()] = struct{}{}
		names = append(names, method.GetName())
	}
	now := timestamppb.Now()
	added := &record{methods: methods, service: &pb.RegisteredService{
		Id:                namespace + "/" + descriptor.GetName(),
		Namespace:         namespace,
		ServiceName:       descriptor.GetName(),
		ServiceDescriptor: descriptor,
		MethodNames:       names,
		Metadata:          &pb.Metadata{CreatedAt: now, UpdatedAt: now},
	}}
	key := pair{namespace, descriptor.GetName()}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if _, known := s.services[key]; known {
		return nil, false
	}
	s.services[key] = added
	s.order = append(s.order, added)
	s.changed()
	return added, true
}

func (s *store) has(namespace, service, method string) bool {
	s.mutex.RLock()
	defer s.mutex.RUnlock()
	found, known := s.services[pair{namespace, service}]
	if !known {
		return false
	}
	_, known = found.methods[method]
	return known
}

// registry is collector.CollectorRegistry.
type registry struct {
	pb.UnimplementedCollectorRegistryServer
	store           *store
	systemNamespace string
}

func (r *registry) RegisterService(_ context.Context, request *pb.RegisterServiceRequest) (*pb.RegisterServiceResponse, error) {
	descriptor := request.GetServiceDescriptor()
	if err := r.writable(request.GetNamespace()); err != nil {
		return nil, err
	}
	if descriptor == nil {
		return nil, status.Error(codes.InvalidArgument, "service_descriptor is required")
	}
	if descriptor.GetName() == "" {
		return nil, status.Error(codes.InvalidArgument, "service_descriptor.name is required")
	}
	seen := map[string]bool{}
	for _, method := range descriptor.GetMethod() {
		name := method.GetName()
		if name == "" {
			return nil, status.Error(codes.InvalidArgument, "a method has no name")
		}
		if seen[name] {
			return nil, status.Errorf(codes.InvalidArgument, "two methods are named '%s'", name)
		}
		seen[name] = true
	}
	added, isNew := r.store.addService(request.GetNamespace(), descriptor)
	if !isNew {
		return nil, status.Errorf(codes.AlreadyExists, "service '%s' is already registered in namespace '%s'", descriptor.GetName(), request.GetNamespace())
	}
	return &pb.RegisterServiceResponse{
		Status:            inBand(pb.Status_OK, "OK"),
		ServiceId:         added.service.Id,
		RegisteredMethods: added.service.MethodNames,
	}, nil
}

func (r *registry) RegisterProto(_ context.Context, request *pb.RegisterProtoRequest) (*pb.RegisterProtoResponse, error) {
	file := request.GetFileDescriptor()
	if err := r.writable(request.GetNamespace()); err != nil {
		return nil, err
	}
	if file == nil {
		return nil, status.Error(codes.InvalidArgument, "file_descriptor is required")
	}
	if file.GetName() == "" {
		return nil, status.Error(codes.InvalidArgument, "file_descriptor.name is required")
	}
	key := pair{request.GetNamespace(), file.GetName()}
	r.store.mutex.Lock()
	defer r.store.mutex.Unlock()
	if _, known := r.store.protos[key]; known {
		return nil, status.Errorf(codes.AlreadyExists, "proto '%s' is already registered in namespace '%s'", key.name, key.namespace)
	}
	r.store.protos[key] = struct{}{}
	names := []string{}
	for _, message := range file.GetMessageType() {
		names = append(names, message.GetName())
	}
	return &pb.RegisterProtoResponse{
		Status:             inBand(pb.Status_OK, "OK"),
		ProtoId:            key.namespace + "/" + key.name,
		RegisteredMessages: names,
	}, nil
}

func (r *registry) writable(namespace string) error {
	switch namespace {
	case "":
		return status.Error(codes.InvalidArgument, "namespace is required")
	case r.systemNamespace:
		return status.Errorf(codes.PermissionDenied, "namespace '%s' is the collector's own", namespace)
	}
	return nil
}

func (r *registry) LookupService(_ context.Context, request *pb.LookupServiceRequest) (*pb.LookupServiceResponse, error) {
	r.store.mutex.RLock()
	defer r.store.mutex.RUnlock()
	found, known := r.store.services[pair{request.GetNamespace(), request.GetServiceName()}]
	if !known {
		return &pb.LookupServiceResponse{Status: inBand(pb.Status_NOT_FOUND, fmt.Sprintf(
			"service '%s' not found in namespace '%s'", request.GetServiceName(), request.GetNamespace()))}, nil
	}
	return &pb.LookupServiceResponse{Status: inBand(pb.Status_OK, "OK"), Service: found.service}, nil
}

func (r *registry) ValidateMethod(_ context.Context, request *pb.ValidateMethodRequest) (*pb.ValidateMethodResponse, error) {
	if r.store.has(request.GetNamespace(), request.GetServiceName(), request.GetMethodName()) {
		return &pb.ValidateMethodResponse{Status: inBand(pb.Status_OK, "OK"), IsValid: true, Message: "OK"}, nil
	}
	text := fmt.Sprintf("method '%s.%s' not found in namespace '%s'",
		request.GetServiceName(), request.GetMethodName(), request.GetNamespace())
	return &pb.ValidateMethodResponse{Status: inBand(pb.Status_NOT_FOUND, text), Message: text}, nil
}

func (r *registry) ListServices(_ context.Context, request *pb.ListServicesRequest) (*pb.ListServicesResponse, error) {
	r.store.mutex.RLock()
	defer r.store.mutex.RUnlock()
	response := &pb.ListServicesResponse{Status: inBand(pb.Status_OK, "OK")}
	for _, each := range r.store.order {
		if request.GetNamespace() == "" || each.service.Namespace == request.GetNamespace() {
			response.Services = append(response.Services, each.service)
		}
	}
	return response, nil
}

func inBand(code pb.Status_Code, message string) *pb.Status {
	return &pb.Status{Code: code, Message: message}
}
