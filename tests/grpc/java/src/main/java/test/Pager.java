package test;

import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.stub.MetadataUtils;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import scalekit.v1.organizations.OrganizationServiceGrpc;
import scalekit.v1.organizations.OrganizationServiceGrpc.OrganizationServiceBlockingStub;
import scalekit.v1.organizations.Organizations.ListOrganizationsRequest;
import scalekit.v1.organizations.Organizations.ListOrganizationsResponse;

/**
 * Pages through the organizations of a Genkan, as an application on grpc-netty-shaded does: in the clear over http,
 * under the truststore of javax.net.ssl.trustStore over https. Prints a name in each line.
 */
public final class Pager {
    private static final Metadata.Key<String> AUTHORIZATION =
            Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);

    public static void main(String[] args) throws Exception {
        URI environment = URI.create(System.getenv("SCALEKIT_ENVIRONMENT_URL"));
        boolean isSecure = environment.getScheme().equals("https");
        int port = environment.getPort() != -1 ? environment.getPort() : isSecure ? 443 : 80;
        NettyChannelBuilder builder = NettyChannelBuilder.forAddress(environment.getHost(), port);
        ManagedChannel channel = (isSecure ? builder.useTransportSecurity() : builder.usePlaintext()).build();
        try {
            OrganizationServiceBlockingStub stub = OrganizationServiceGrpc.newBlockingStub(channel)
                    .withDeadlineAfter(30, TimeUnit.SECONDS);
            refusedWithoutToken(stub);
            Metadata headers = new Metadata();
            headers.put(AUTHORIZATION, "Bearer " + signIn(environment));
            list(stub.withInterceptors(MetadataUtils.newAttachHeadersInterceptor(headers)));
        } finally {
            channel.shutdownNow().awaitTermination(5, TimeUnit.SECONDS);
        }
    }

    private static void list(OrganizationServiceBlockingStub stub) {
        String page = "";
        do {
            ListOrganizationsResponse answer = stub.listOrganization(ListOrganizationsRequest.newBuilder()
                    .setPageSize(10)
                    .setPageToken(page)
                    .build());
            answer.getOrganizationsList().forEach(organization -> System.out.println(organization.getDisplayName()));
            page = answer.getNextPageToken();
        } while (!page.isEmpty());
    }

    /** A refusal arrives whole: it travels in the trailers. */
    private static void refusedWithoutToken(OrganizationServiceBlockingStub stub) {
        try {
            stub.listOrganization(ListOrganizationsRequest.getDefaultInstance());
        } catch (StatusRuntimeException refused) {
            if (refused.getStatus().getCode() == Status.Code.UNAUTHENTICATED) {
                return;
            }
            throw refused;
        }
        throw new IllegalStateException("answered without a token");
    }

    /** Trades the client's credentials for a token (RFC 6749 section 4.4). */
    private static String signIn(URI environment) throws Exception {
        String form = "grant_type=client_credentials&client_id=" + encoded("SCALEKIT_CLIENT_ID") + "&client_secret="
                + encoded("SCALEKIT_CLIENT_SECRET");
        HttpRequest request = HttpRequest.newBuilder(environment.resolve("/oauth/token"))
                .header("Content-Type", "application/x-www-form-urlencoded")
                .POST(HttpRequest.BodyPublishers.ofString(form))
                .build();
        HttpResponse<String> answer =
                HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString());
        Matcher token = Pattern.compile("\"access_token\"\\s*:\\s*\"([^\"]+)\"").matcher(answer.body());
        if (answer.statusCode() != 200 || !token.find()) {
            throw new IllegalStateException("the token endpoint answered " + answer.statusCode());
        }
        return token.group(1);
    }

    private static String encoded(String variable) {
        return URLEncoder.encode(System.getenv(variable), StandardCharsets.UTF_8);
    }
}
