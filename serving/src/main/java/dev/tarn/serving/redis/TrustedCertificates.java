package dev.tarn.serving.redis;

import dev.tarn.cli.TarnException;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import javax.net.ssl.TrustManagerFactory;

/** Makes the certificates of {@code redis.tls-ca} the only trusted ones. */
final class TrustedCertificates {

  private TrustedCertificates() {}

  /**
   * Reads the certificates at once, so that a wrong file fails the start and not each connection.
   *
   * @throws TarnException if the file can't be read or has no certificates
   */
  static TrustManagerFactory of(String pemFile) {
    try (InputStream pem = new BufferedInputStream(Files.newInputStream(Path.of(pemFile)))) {
      KeyStore trusted = KeyStore.getInstance(KeyStore.getDefaultType());
      trusted.load(null, null);
      for (Certificate found : CertificateFactory.getInstance("X.509").generateCertificates(pem)) {
        trusted.setCertificateEntry("ca-" + trusted.size(), found);
      }
      if (trusted.size() == 0) {
        throw cannotUse(pemFile, "it has no certificates", null);
      }
      TrustManagerFactory factory =
          TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
      factory.init(trusted);
      return factory;
    } catch (IOException e) {
      throw cannotUse(pemFile, "it can't be read: " + e, e);
    } catch (GeneralSecurityException e) {
      throw cannotUse(pemFile, "it has something else than certificates: " + e.getMessage(), e);
    }
  }

  private static TarnException cannotUse(String pemFile, String why, Exception cause) {
    return new TarnException(
        "redis.tls-ca = '%s': %s; name a PEM file with the certificates to trust"
            .formatted(pemFile, why),
        cause);
  }
}
