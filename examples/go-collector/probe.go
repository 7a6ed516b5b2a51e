package main

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const probeService = "conformance.Probe"

// probe is the service by which a verifier sees what was executed, and where.
type probe struct {
	id        string
	mutex     sync.Mutex
	runs      map[string]int64
	cancelled atomic.Int64
}

func newProbe(id string) *probe { return &probe{id: id, runs: map[string]int64{}} }

func (p *probe) handlers() map[string]handler {
	return map[string]handler{
		"Echo":           func(_ context.Context, input *anypb.Any) (any, error) { return orNothing(input), nil },
		"WhoAmI":         func(context.Context, *anypb.Any) (any, error) { return wrapperspb.String(p.id), nil },
		"Count":          p.count,
		"Unregistered":   p.count,
		"Fail":           p.fail,
		"FailAfterCount": p.failAfterCount,
		"Crash":          func(context.Context, *anypb.Any) (any, error) { panic("the probe was asked to crash") },
		"Sleep":          p.sleep,
		"Cancelled":      func(context.Context, *anypb.Any) (any, error) { return wrapperspb.Int64(p.cancelled.Load()), nil },
		"Silent":         func(context.Context, *anypb.Any) (any, error) { return nil, nil },
		"WrongType":      func(context.Context, *anypb.Any) (any, error) { return struct{ a int }{1}, nil },
		"Context":        p.context,
	}
}

// orNothing keeps an unset input an unset output.
func orNothing(input *anypb.Any) any {
	if input == nil {
		return nil
	}
	return input
}

func (p *probe) count(_ context.Context, input *anypb.Any) (any, error) {
	key, err := text(input)
	if err != nil {
		return nil, err
	}
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.runs[key]++
	return wrapperspb.Int64(p.runs[key]), nil
}

func (p *probe) fail(_ context.Context, input *anypb.Any) (any, error) {
	why, err := text(input)
	if err != nil {
		return nil, err
	}
	return nil, errors.New(why)
}

func (p *probe) failAfterCount(ctx context.Context, input *anypb.Any) (any, error) {
	if _, err := p.count(ctx, input); err != nil {
		return nil, err
	}
	return nil, errors.New("counted, then failed")
}

func (p *probe) sleep(ctx context.Context, input *anypb.Any) (any, error) {
	duration := &durationpb.Duration{}
	if err := input.UnmarshalTo(duration); err != nil {
		return nil, errors.New("Sleep takes a Duration")
	}
	timer := time.NewTimer(duration.AsDuration())
	defer timer.Stop()
	select {
	case <-timer.C:
		return &emptypb.Empty{}, nil
	case <-ctx.Done():
		p.cancelled.Add(1)
		return nil, ctx.Err()
	}
}

func (p *probe) context(ctx context.Context, _ *anypb.Any) (any, error) {
	fields := map[string]*structpb.Value{"deadline_seconds": structpb.NewNullValue()}
	if deadline, ok := ctx.Deadline(); ok {
		fields["deadline_seconds"] = structpb.NewNumberValue(time.Until(deadline).Seconds())
	}
	headers := map[string]*structpb.Value{}
	incoming, _ := metadata.FromIncomingContext(ctx)
	for name, values := range incoming {
		shown := make([]*structpb.Value, len(values))
		for index, value := range values {
			if strings.HasSuffix(name, "-bin") {
				value = base64.StdEncoding.EncodeToString([]byte(value))
			}
			shown[index] = structpb.NewStringValue(value)
		}
		headers[name] = structpb.NewListValue(&structpb.ListValue{Values: shown})
	}
	fields["metadata"] = structpb.NewStructValue(&structpb.Struct{Fields: headers})
	return &structpb.Struct{Fields: fields}, nil
}

// descriptor is what the registry knows of the probe: one method less and one more than there are.
func (p *probe) descriptor() *descriptorpb.ServiceDescriptorProto {
	descriptor := &descriptorpb.ServiceDescriptorProto{Name: proto.String(probeService)}
	for _, name := range []string{
		"Echo", "WhoAmI", "Count", "Fail", "FailAfterCount", "Crash", "Sleep", "Cancelled",
		"Silent", "WrongType", "Context", "Declared",
	} {
		descriptor.Method = append(descriptor.Method, &descriptorpb.MethodDescriptorProto{
			Name:       proto.String(name),
			InputType:  proto.String(".google.protobuf.Any"),
			OutputType: proto.String(".google.protobuf.Any"),
		})
	}
	return descriptor
}

func text(input *anypb.Any) (string, error) {
	value := &wrapperspb.StringValue{}
	if err := input.UnmarshalTo(value); err != nil {
		return "", errors.New("a StringValue is expected")
	}
	return value.GetValue(), nil
}
