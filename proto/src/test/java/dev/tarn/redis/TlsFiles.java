package dev.tarn.redis;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.util.Base64;

/**
 * A private key and its own certificate as PEM files, made when they are needed.
 *
 * @param certificate is its own authority, so whoever trusts it trusts the server that has the key
 */
public record TlsFiles(Path key, Path certificate) {

  private static final String PASSWORD = "of-a-test";

  /**
   * Makes them with the JDK's keytool.
   *
   * @param names the subject alternative names, as {@code ip:127.0.0.1,dns:localhost}
   */
  public static TlsFiles make(Path folder, String names) {
    try {
      Path store = folder.resolve("server.p12");
      Process keytool =
          new ProcessBuilder(
                  Path.of(System.getProperty("java.home"), "bin", "keytool").toString(),
                  "-genkeypair",
                  "-alias",
                  "server",
                  "-keyalg",
                  "EC",
                  "-dname",
                  "CN=tarn-test",
                  "-ext",
                  "SAN=" + names,
                  "-storetype",
                  "PKCS12",
                  "-keystore",
                  store.toString(),
                  "-storepass",
                  PASSWORD)
              .redirectErrorStream(true)
              .start();
      String said = new String(keytool.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      if (keytool.waitFor() != 0) {
        throw new IllegalStateException("keytool: " + said);
      }
      KeyStore made = KeyStore.getInstance("PKCS12");
      try (InputStream in = Files.newInputStream(store)) {
        made.load(in, PASSWORD.toCharArray());
      }
      return new TlsFiles(
          pem(
              folder.resolve("server.key"),
              "PRIVATE KEY",
              made.getKey("server", PASSWORD.toCharArray()).getEncoded()),
          pem(
              folder.resolve("server.crt"),
              "CERTIFICATE",
              made.getCertificate("server").getEncoded()));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (GeneralSecurityException | InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  private static Path pem(Path file, String what, byte[] der) throws IOException {
    String lines = Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(der);
    return Files.writeString(
        file, "-----BEGIN %s-----\n%s\n-----END %1$s-----\n".formatted(what, lines));
  }
}
