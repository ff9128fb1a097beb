package dev.tarn.serving.access;

import com.typesafe.config.Config;

/**
 * The section {@code serving.tls}: PEM files, each empty if it is not set.
 *
 * @param clientCa the authority that must have signed the clients' certificates
 */
public record TlsSettings(String certificate, String key, String clientCa) {

  /**
   * Checks that the files go together.
   *
   * @throws IllegalArgumentException if they do not
   */
  public TlsSettings {
    if (certificate.isEmpty() != key.isEmpty()) {
      throw new IllegalArgumentException(
          "serving.tls.certificate and serving.tls.key go together: set both or none");
    }
    if (certificate.isEmpty() && !clientCa.isEmpty()) {
      throw new IllegalArgumentException(
          "serving.tls.client-ca is for a server with TLS: set serving.tls.certificate and"
              + " serving.tls.key too");
    }
  }

  public static TlsSettings of(Config tls) {
    return new TlsSettings(
        tls.getString("certificate"), tls.getString("key"), tls.getString("client-ca"));
  }

  boolean isOn() {
    return !certificate.isEmpty();
  }
}
