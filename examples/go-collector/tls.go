package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// transports returns the credentials to listen with and those to dial with, the collector's own
// port included: whoever trusts the authority of its peers can dial it, so it must itself.
func transports(s *settings) (server, client credentials.TransportCredentials, err error) {
	if s.tlsCert == "" {
		return insecure.NewCredentials(), insecure.NewCredentials(), nil
	}
	own, err := tls.LoadX509KeyPair(s.tlsCert, s.tlsKey)
	if err != nil {
		return nil, nil, fmt.Errorf("COLLECTOR_TLS_CERT and COLLECTOR_TLS_KEY cannot be used: %w", err)
	}
	listening := &tls.Config{Certificates: []tls.Certificate{own}, MinVersion: tls.VersionTLS12}
	dialling := &tls.Config{Certificates: []tls.Certificate{own}, MinVersion: tls.VersionTLS12}
	if s.tlsCA != "" {
		text, err := os.ReadFile(s.tlsCA)
		if err != nil {
			return nil, nil, fmt.Errorf("COLLECTOR_TLS_CA cannot be read: %w", err)
		}
		trusted := x509.NewCertPool()
		if !trusted.AppendCertsFromPEM(text) {
			return nil, nil, fmt.Errorf("COLLECTOR_TLS_CA holds no certificate")
		}
		dialling.RootCAs = trusted
		listening.ClientCAs = trusted
	}
	if s.tlsClientAuth {
		listening.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return credentials.NewTLS(listening), credentials.NewTLS(dialling), nil
}
