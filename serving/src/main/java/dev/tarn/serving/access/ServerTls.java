package dev.tarn.serving.access;

import dev.tarn.cli.TarnException;
import io.grpc.ServerCredentials;
import io.grpc.TlsServerCredentials;
import io.grpc.TlsServerCredentials.ClientAuth;
import io.grpc.util.AdvancedTlsX509KeyManager;
import io.grpc.util.AdvancedTlsX509TrustManager;
import io.grpc.util.CertificateUtils;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.Signature;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.security.spec.InvalidKeySpecException;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Holds the certificate that the server shows and those that it trusts. New connections use a
 * renewed certificate; existing connections stay.
 */
final class ServerTls {

  private static final Pattern PRIVATE_KEY =
      Pattern.compile("-----BEGIN PRIVATE KEY-----([A-Za-z0-9+/=\\s]+)-----END PRIVATE KEY-----");
  private static final List<String> ALGORITHMS = List.of("RSA", "EC", "EdDSA");

  private final TlsSettings settings;
  private final AdvancedTlsX509KeyManager shown = new AdvancedTlsX509KeyManager();
  private final AdvancedTlsX509TrustManager trusted;
  private final WatchedFiles files;

  private ServerTls(TlsSettings settings) throws CertificateException {
    this.settings = settings;
    trusted = AdvancedTlsX509TrustManager.newBuilder().build();
    files =
        new WatchedFiles(this::read)
            .add("serving.tls.certificate", settings.certificate())
            .add("serving.tls.key", settings.key());
    if (hasClientCa()) {
      files.add("serving.tls.client-ca", settings.clientCa());
    }
  }

  /**
   * Reads the files. The result is empty if TLS is off.
   *
   * @throws TarnException if one can't be used
   */
  static Optional<ServerTls> of(TlsSettings settings) {
    if (!settings.isOn()) {
      return Optional.empty();
    }
    try {
      ServerTls tls = new ServerTls(settings);
      tls.files.start();
      return Optional.of(tls);
    } catch (CertificateException e) {
      throw new IllegalStateException(e);
    }
  }

  WatchedFiles files() {
    return files;
  }

  ServerCredentials credentials() {
    TlsServerCredentials.Builder credentials = TlsServerCredentials.newBuilder().keyManager(shown);
    if (hasClientCa()) {
      credentials.trustManager(trusted).clientAuth(ClientAuth.REQUIRE);
    }
    return credentials.build();
  }

  private boolean hasClientCa() {
    return !settings.clientCa().isEmpty();
  }

  private void read(List<byte[]> contents) {
    X509Certificate[] chain =
        certificates("serving.tls.certificate", settings.certificate(), contents.get(0));
    PrivateKey key = key(contents.get(1), chain[0].getPublicKey());
    try {
      chain[0].checkValidity();
      if (hasClientCa()) {
        trusted.updateTrustCredentials(
            certificates("serving.tls.client-ca", settings.clientCa(), contents.get(2)));
      }
      shown.updateIdentityCredentials(chain, key);
    } catch (CertificateException e) {
      throw cannotUse(
          "serving.tls.certificate",
          settings.certificate(),
          "it is valid from %s to %s"
              .formatted(chain[0].getNotBefore().toInstant(), chain[0].getNotAfter().toInstant()),
          e);
    } catch (GeneralSecurityException | IOException e) {
      throw cannotUse(
          "serving.tls.client-ca", settings.clientCa(), "it can't be used: " + e.getMessage(), e);
    }
  }

  private static X509Certificate[] certificates(String setting, String file, byte[] pem) {
    try {
      X509Certificate[] found = CertificateUtils.getX509Certificates(new ByteArrayInputStream(pem));
      if (found.length == 0) {
        throw cannotUse(setting, file, "it has no certificates", null);
      }
      return found;
    } catch (CertificateException e) {
      throw cannotUse(setting, file, "it has something else than certificates", e);
    }
  }

  /** Reads the key in a PEM file, which must be that of the certificate. Never quotes the file. */
  private PrivateKey key(byte[] pem, PublicKey certified) {
    Matcher found = PRIVATE_KEY.matcher(new String(pem, StandardCharsets.ISO_8859_1));
    if (!found.find()) {
      throw cannotUse(
          "serving.tls.key",
          settings.key(),
          "it has no PRIVATE KEY in PKCS#8 (openssl pkcs8 -topk8 -nocrypt makes one)",
          null);
    }
    PrivateKey key = parse(found.group(1));
    if (!areOnePair(key, certified)) {
      throw cannotUse(
          "serving.tls.key",
          settings.key(),
          "it is not the key of the certificate in '%s'".formatted(settings.certificate()),
          null);
    }
    return key;
  }

  private PrivateKey parse(String base64) {
    byte[] der;
    try {
      der = Base64.getMimeDecoder().decode(base64);
    } catch (IllegalArgumentException e) {
      throw cannotUse("serving.tls.key", settings.key(), "its PRIVATE KEY is damaged", null);
    }
    for (String algorithm : ALGORITHMS) {
      try {
        return KeyFactory.getInstance(algorithm).generatePrivate(new PKCS8EncodedKeySpec(der));
      } catch (InvalidKeySpecException e) {
        // The key is of another algorithm, or of none.
      } catch (GeneralSecurityException e) {
        throw new IllegalStateException(e);
      }
    }
    throw cannotUse(
        "serving.tls.key", settings.key(), "its PRIVATE KEY is damaged, or not RSA or EC", null);
  }

  private static boolean areOnePair(PrivateKey key, PublicKey certified) {
    String algorithm =
        switch (key.getAlgorithm()) {
          case "RSA" -> "SHA256withRSA";
          case "EC" -> "SHA256withECDSA";
          default -> key.getAlgorithm();
        };
    byte[] text = {1, 2, 3};
    try {
      Signature signing = Signature.getInstance(algorithm);
      signing.initSign(key);
      signing.update(text);
      byte[] signature = signing.sign();
      Signature verifying = Signature.getInstance(algorithm);
      verifying.initVerify(certified);
      verifying.update(text);
      return verifying.verify(signature);
    } catch (GeneralSecurityException e) {
      // The key may be of one algorithm and the certificate of another.
      return false;
    }
  }

  private static TarnException cannotUse(String setting, String file, String why, Exception cause) {
    return new TarnException("%s = '%s': %s".formatted(setting, file, why), cause);
  }
}
