package main

import (
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// The limits of this collector, which target.yaml declares.
const (
	cacheLife       = 2 * time.Second
	connectLimit    = 2 * time.Second
	forwardLimit    = 5 * time.Second
	readyLimit      = 5 * time.Second
	graceLimit      = 10 * time.Second
	refusingWindow  = 200 * time.Millisecond
	messageSize     = 4 << 20
	maxConnections  = 2000
	accretionalMark = "accretional+"
)

// settings is the launch contract, read once.
type settings struct {
	id              string
	listen          string
	advertise       string
	namespaces      []string
	connect         []string
	systemNamespace string
	registryAddress string
	probe           []string
	accretional     bool
	validation      bool
	tlsCert         string
	tlsKey          string
	tlsCA           string
	tlsClientAuth   bool
}

// settingsFrom reads the environment; an error names the variable and what it may hold.
func settingsFrom(get func(string) string) (*settings, error) {
	s := &settings{
		id:              get("COLLECTOR_ID"),
		listen:          orElse(get("COLLECTOR_LISTEN"), "127.0.0.1:0"),
		advertise:       get("COLLECTOR_ADVERTISE"),
		namespaces:      list(get("COLLECTOR_NAMESPACES")),
		connect:         list(get("COLLECTOR_CONNECT")),
		systemNamespace: orElse(get("COLLECTOR_SYSTEM_NAMESPACE"), "system"),
		registryAddress: get("COLLECTOR_REGISTRY_ADDRESS"),
		probe:           list(get("COLLECTOR_PROBE")),
		tlsCert:         get("COLLECTOR_TLS_CERT"),
		tlsKey:          get("COLLECTOR_TLS_KEY"),
		tlsCA:           get("COLLECTOR_TLS_CA"),
	}
	if s.id == "" {
		return nil, fmt.Errorf("COLLECTOR_ID is required: the id by which peers know this collector")
	}
	if _, _, err := net.SplitHostPort(s.listen); err != nil {
		return nil, fmt.Errorf("COLLECTOR_LISTEN is %q: it must be host:port", s.listen)
	}
	var err error
	if s.accretional, err = choice(get, "COLLECTOR_DIALECT", "native", "accretional"); err != nil {
		return nil, err
	}
	if off, err := choice(get, "COLLECTOR_VALIDATION", "on", "off"); err != nil {
		return nil, err
	} else {
		s.validation = !off
	}
	if s.tlsClientAuth, err = choice(get, "COLLECTOR_TLS_CLIENT_AUTH", "none", "require"); err != nil {
		return nil, err
	}
	if (s.tlsCert == "") != (s.tlsKey == "") {
		return nil, fmt.Errorf("COLLECTOR_TLS_CERT and COLLECTOR_TLS_KEY go together")
	}
	if s.tlsClientAuth && (s.tlsCert == "" || s.tlsCA == "") {
		return nil, fmt.Errorf("COLLECTOR_TLS_CLIENT_AUTH=require needs COLLECTOR_TLS_CERT and COLLECTOR_TLS_CA")
	}
	if where := get("COLLECTOR_REGISTRY"); where != "" && where != "memory" {
		return nil, fmt.Errorf("COLLECTOR_REGISTRY is %q: registrations are kept in memory only", where)
	}
	for _, address := range s.connect {
		if !validAddress(strings.TrimPrefix(address, accretionalMark)) {
			return nil, fmt.Errorf("COLLECTOR_CONNECT holds %q: it must be host:port", address)
		}
	}
	return s, nil
}

// choice tells whether a variable is the second of its two values; unset it is the first.
func choice(get func(string) string, name, first, second string) (bool, error) {
	switch value := get(name); value {
	case "", first:
		return false, nil
	case second:
		return true, nil
	default:
		return false, fmt.Errorf("%s is %q: it must be %s or %s", name, value, first, second)
	}
}

// validAddress tells whether an address can be one of a collector.
func validAddress(address string) bool {
	for _, scheme := range []string{"dns:///", "ipv4:", "ipv6:", "unix:", "xds:///"} {
		if rest, ok := strings.CutPrefix(address, scheme); ok {
			return rest != ""
		}
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil || host == "" || strings.ContainsAny(host, "/ \t\n") {
		return false
	}
	if _, err := url.Parse("//" + net.JoinHostPort(host, port)); err != nil {
		return false
	}
	number, err := strconv.ParseUint(port, 10, 16)
	return err == nil && number > 0
}

func list(text string) []string {
	var found []string
	for _, part := range strings.Split(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			found = append(found, part)
		}
	}
	return found
}

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}
