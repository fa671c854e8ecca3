// Pages through the organizations of a Genkan, as an application on connectrpc.com/connect does.
//
// Over http, Go speaks gRPC by HTTP/1.1; over https by HTTP/2, under SSL_CERT_FILE.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"connectrpc.com/connect"

	organizations "genkan.test/grpc/gen/scalekit/v1/organizations"
	"genkan.test/grpc/gen/scalekit/v1/organizations/organizationsconnect"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	names, err := list(ctx, os.Getenv("SCALEKIT_ENVIRONMENT_URL"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	json.NewEncoder(os.Stdout).Encode(names)
}

func list(ctx context.Context, environment string) ([]string, error) {
	token, err := signIn(ctx, environment)
	if err != nil {
		return nil, err
	}
	client := organizationsconnect.NewOrganizationServiceClient(http.DefaultClient, environment, connect.WithGRPC())
	if err := refusedWithoutToken(ctx, client); err != nil {
		return nil, err
	}
	var names []string
	for page := ""; ; {
		request := connect.NewRequest(&organizations.ListOrganizationsRequest{PageSize: 10, PageToken: page})
		request.Header().Set("Authorization", "Bearer "+token)
		answer, err := client.ListOrganization(ctx, request)
		if err != nil {
			return nil, err
		}
		for _, organization := range answer.Msg.GetOrganizations() {
			names = append(names, organization.GetDisplayName())
		}
		if page = answer.Msg.GetNextPageToken(); page == "" {
			return names, nil
		}
	}
}

// refusedWithoutToken checks that a refusal arrives whole: it travels in the trailers.
func refusedWithoutToken(ctx context.Context, client organizationsconnect.OrganizationServiceClient) error {
	_, err := client.ListOrganization(ctx, connect.NewRequest(&organizations.ListOrganizationsRequest{}))
	if connect.CodeOf(err) != connect.CodeUnauthenticated {
		return fmt.Errorf("without a token: %v", err)
	}
	return nil
}

// signIn trades the client's credentials for a token (RFC 6749 §4.4).
func signIn(ctx context.Context, environment string) (string, error) {
	form := url.Values{
		"grant_type":    {"client_credentials"},
		"client_id":     {os.Getenv("SCALEKIT_CLIENT_ID")},
		"client_secret": {os.Getenv("SCALEKIT_CLIENT_SECRET")},
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, environment+"/oauth/token", strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	var token struct {
		AccessToken string `json:"access_token"`
		Error       string `json:"error"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&token); err != nil {
		return "", err
	}
	if token.AccessToken == "" {
		return "", fmt.Errorf("the token endpoint answered %s: %s", answer.Status, token.Error)
	}
	return token.AccessToken, nil
}
