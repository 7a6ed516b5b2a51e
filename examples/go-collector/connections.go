package main

import (
	"context"
	"fmt"
	"log"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"go-collector/internal/accretional"
	pb "go-collector/internal/contract"
)

const connectMethod = "/collector.CollectiveDispatcher/Connect"

// peer is a collector that calls can be routed to.
type peer struct {
	id           string
	address      string
	connectionID string
	shared       []string
	channel      *grpc.ClientConn
}

// connections keeps one connection for each peer, whichever side asked for it.
type connections struct {
	id          string
	namespaces  []string
	credentials credentials.TransportCredentials
	mutex       sync.Mutex
	// By id, or by address for a peer that tells none: an id can never name the latter.
	peers map[pair]*peer
	// The keys in the order of the first connection, so that turns are fair.
	order []pair
	turns atomic.Uint64
}

func newConnections(id string, namespaces []string, creds credentials.TransportCredentials) *connections {
	return &connections{id: id, namespaces: namespaces, credentials: creds, peers: map[pair]*peer{}}
}

func (c *connections) get(id string) *peer {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.peers[pair{id, ""}]
}

// sharing returns the peers that share a namespace, another one first at each call.
func (c *connections) sharing(namespace string) []*peer {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	var found []*peer
	for _, key := range c.order {
		if each := c.peers[key]; slices.Contains(each.shared, namespace) {
			found = append(found, each)
		}
	}
	if len(found) > 1 {
		first := int(c.turns.Add(1) % uint64(len(found)))
		found = append(found[first:], found[:first]...)
	}
	return found
}

// accept answers a peer's Connect.
func (c *connections) accept(id, address string, namespaces []string) *pb.ConnectResponse {
	if address == "" {
		return refused(400, "address is required")
	}
	if !validAddress(address) {
		return refused(400, fmt.Sprintf("'%s' is not an address", address))
	}
	shared := c.intersection(namespaces)
	connectionID := newConnectionID()
	if id != c.id {
		if err := c.store(id, address, connectionID, shared); err != nil {
			return refused(429, err.Error())
		}
	}
	return &pb.ConnectResponse{
		Status:            inBand(200, "OK"),
		ConnectionId:      connectionID,
		SharedNamespaces:  shared,
		TargetCollectorId: c.id,
	}
}

// connect asks the collector at an address to connect.
func (c *connections) connect(ctx context.Context, address, advertised string, isAccretional bool) error {
	channel, err := dial(address, c.credentials)
	if err != nil {
		return err
	}
	defer channel.Close()
	var request proto.Message = &pb.ConnectRequest{
		CollectorId: c.id, Address: advertised, Namespaces: c.namespaces,
	}
	if isAccretional {
		request = &accretional.ConnectRequest{
			Address: advertised, Namespaces: c.namespaces,
			Metadata: map[string]string{"collector_id": c.id},
		}
	}
	ctx, cancel := context.WithTimeout(ctx, connectLimit)
	defer cancel()
	response := &pb.ConnectResponse{}
	if err := channel.Invoke(ctx, connectMethod, request, response); err != nil {
		return fmt.Errorf("%s", status.Convert(err).Code())
	}
	if code := response.GetStatus().GetCode(); code != 200 {
		return fmt.Errorf("it answered status %d", code)
	}
	if response.GetTargetCollectorId() == c.id {
		return nil
	}
	shared := c.intersection(response.GetSharedNamespaces())
	return c.store(response.GetTargetCollectorId(), address, response.GetConnectionId(), shared)
}

// keepConnecting tries until the collector at the address has agreed.
func (c *connections) keepConnecting(ctx context.Context, address, advertised string, isAccretional bool) {
	pause := 50 * time.Millisecond
	for {
		err := c.connect(ctx, address, advertised, isAccretional)
		if err == nil || ctx.Err() != nil {
			return
		}
		log.Printf("no connection to %s yet: %v", address, err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause/2 + rand.N(pause)):
		}
		pause = min(2*pause, 2*time.Second)
	}
}

func (c *connections) close() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	for _, each := range c.peers {
		each.channel.Close()
	}
}

func (c *connections) intersection(theirs []string) []string {
	shared := []string{}
	for _, name := range theirs {
		if slices.Contains(c.namespaces, name) && !slices.Contains(shared, name) {
			shared = append(shared, name)
		}
	}
	return shared
}

func (c *connections) store(id, address, connectionID string, shared []string) error {
	key := pair{id, ""}
	if id == "" {
		key = pair{"", address}
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	known := c.peers[key]
	if known == nil && len(c.peers) >= maxConnections {
		return fmt.Errorf("there are %d connections already", maxConnections)
	}
	fresh := &peer{id: id, address: address, connectionID: connectionID, shared: shared}
	if known != nil && known.address == address {
		fresh.channel = known.channel
	} else {
		channel, err := dial(address, c.credentials)
		if err != nil {
			return err
		}
		fresh.channel = channel
		if known != nil {
			known.channel.Close()
		}
	}
	if known == nil {
		c.order = append(c.order, key)
	}
	c.peers[key] = fresh
	return nil
}

// serve asks the peer to execute a call. It tells whether the request went out at all: where it
// did not, the handler has certainly not run.
func (p *peer) serve(ctx context.Context, request *pb.ServeRequest) (response *pb.ServeResponse, sent bool) {
	watch := &sending{}
	response, err := pb.NewCollectiveDispatcherClient(p.channel).Serve(context.WithValue(ctx, sendingKey{}, watch), request)
	if err != nil {
		failure := status.Convert(err)
		text := fmt.Sprintf("the call to collector '%s' failed: %s", p.id, failure.Code())
		return &pb.ServeResponse{Status: inBand(httpLike(failure.Code()), text)}, watch.sent.Load()
	}
	if response.GetStatus() == nil {
		return &pb.ServeResponse{Status: inBand(500, fmt.Sprintf("collector '%s' answered without a status", p.id))}, true
	}
	return response, true
}

func dial(address string, creds credentials.TransportCredentials) (*grpc.ClientConn, error) {
	if !strings.Contains(address, ":///") && !strings.HasPrefix(address, "unix:") {
		address = "passthrough:///" + strings.TrimPrefix(strings.TrimPrefix(address, "ipv4:"), "ipv6:")
	}
	return grpc.NewClient(address,
		grpc.WithTransportCredentials(creds),
		grpc.WithNoProxy(),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: time.Second},
			MinConnectTimeout: connectLimit,
		}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(messageSize)),
		grpc.WithStatsHandler(watcher{}),
	)
}

// sending is set once the request of a call is on a connection.
type sending struct{ sent atomic.Bool }

type sendingKey struct{}

// watcher sees the requests of a channel go out.
type watcher struct{}

func (watcher) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }

func (watcher) HandleRPC(ctx context.Context, event stats.RPCStats) {
	if _, ok := event.(*stats.OutHeader); ok {
		if watch, ok := ctx.Value(sendingKey{}).(*sending); ok {
			watch.sent.Store(true)
		}
	}
}

func (watcher) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

func (watcher) HandleConn(context.Context, stats.ConnStats) {}

func httpLike(code codes.Code) pb.Status_Code {
	switch code {
	case codes.InvalidArgument:
		return 400
	case codes.Unauthenticated:
		return 401
	case codes.PermissionDenied:
		return 403
	case codes.NotFound:
		return 404
	case codes.ResourceExhausted:
		return 429
	case codes.Canceled:
		return 499
	case codes.Unimplemented:
		return 501
	case codes.Unavailable:
		return 503
	case codes.DeadlineExceeded:
		return 504
	default:
		return 500
	}
}

func refused(code pb.Status_Code, message string) *pb.ConnectResponse {
	return &pb.ConnectResponse{Status: inBand(code, message)}
}

// newConnectionID returns an id that no other connection has, nor had before a restart.
func newConnectionID() string {
	return fmt.Sprintf("%016x%016x", rand.Uint64(), rand.Uint64())
}
