package dev.tarn.etl.redis;

import com.redislabs.provider.redis.RedisEndpoint;
import dev.tarn.cli.TarnException;
import dev.tarn.redis.RedisSettings;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocketFactory;
import javax.net.ssl.TrustManagerFactory;
import redis.clients.jedis.DefaultJedisClientConfig;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.JedisPool;
import redis.clients.jedis.JedisPoolConfig;

/**
 * One Redis server as spark-redis addresses it. This class adds what the endpoint of spark-redis
 * lacks: ACL users, certificates to trust, and a check of the host's name. Where none of these is
 * asked for, the pool of spark-redis is used.
 */
final class Endpoint extends RedisEndpoint {
  private static final long serialVersionUID = 1L;

  private static final int MAX_CONNECTIONS = 250;
  private static final Map<String, JedisPool> POOLS = new ConcurrentHashMap<>();

  private final String user;
  private final String tlsCa;

  Endpoint(RedisSettings settings, String host, int port) {
    super(
        host,
        port,
        settings.password().isEmpty() ? null : settings.password(),
        settings.database(),
        Math.toIntExact(settings.timeout().toMillis()),
        settings.tls());
    user = settings.user();
    tlsCa = settings.tlsCa();
  }

  @Override
  public Jedis connect() {
    if (user.isEmpty() && !ssl()) {
      return super.connect();
    }
    String key = String.join(" ", host(), Integer.toString(port()), user, tlsCa);
    return POOLS.computeIfAbsent(key + " " + auth() + " " + dbNum(), k -> pool()).getResource();
  }

  /** The address; the password is left out. */
  @Override
  public String toString() {
    return host() + ":" + port();
  }

  private JedisPool pool() {
    DefaultJedisClientConfig.Builder config =
        DefaultJedisClientConfig.builder()
            .connectionTimeoutMillis(timeout())
            .socketTimeoutMillis(timeout())
            .database(dbNum())
            .user(user.isEmpty() ? null : user)
            .password(auth())
            .ssl(ssl());
    if (ssl()) {
      SSLParameters parameters = new SSLParameters();
      parameters.setEndpointIdentificationAlgorithm("HTTPS");
      config.sslParameters(parameters).sslSocketFactory(sockets());
    }
    JedisPoolConfig pool = new JedisPoolConfig();
    pool.setMaxTotal(MAX_CONNECTIONS);
    return new JedisPool(pool, new HostAndPort(host(), port()), config.build());
  }

  private SSLSocketFactory sockets() {
    if (tlsCa.isEmpty()) {
      return (SSLSocketFactory) SSLSocketFactory.getDefault();
    }
    try (InputStream pem = Files.newInputStream(Path.of(tlsCa))) {
      KeyStore trusted = KeyStore.getInstance(KeyStore.getDefaultType());
      trusted.load(null, null);
      for (Certificate ca : CertificateFactory.getInstance("X.509").generateCertificates(pem)) {
        trusted.setCertificateEntry("ca-" + trusted.size(), ca);
      }
      TrustManagerFactory trust =
          TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
      trust.init(trusted);
      SSLContext context = SSLContext.getInstance("TLS");
      context.init(null, trust.getTrustManagers(), null);
      return context.getSocketFactory();
    } catch (IOException | GeneralSecurityException e) {
      throw new TarnException(
          "can't use the certificates in %s (setting redis.tls-ca): %s"
              .formatted(tlsCa, e.getMessage()),
          e);
    }
  }
}
