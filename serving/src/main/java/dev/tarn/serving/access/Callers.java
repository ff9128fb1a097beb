package dev.tarn.serving.access;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigException;
import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigObject;
import com.typesafe.config.ConfigValue;
import com.typesafe.config.ConfigValueType;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;

/** The callers of a {@code serving.callers} file, whose format is in docs/serving.md. Immutable. */
final class Callers {

  private static final Pattern SHA_256 = Pattern.compile("[0-9a-fA-F]{64}");
  private static final Set<String> KEYS =
      Set.of("token-sha256", "certificate", "views", "services");

  /**
   * A caller's token. Only its hash is kept, so that neither file nor heap gives the token away.
   */
  private static final class KnownToken {
    private final byte[] sha256;
    private final Caller caller;

    KnownToken(byte[] sha256, Caller caller) {
      this.sha256 = sha256;
      this.caller = caller;
    }
  }

  private final List<KnownToken> tokens = new ArrayList<>();
  private final Map<String, Caller> certificates = new HashMap<>();

  private Callers() {}

  /**
   * Reads the text of a file.
   *
   * @throws IllegalArgumentException if something is wrong in it; the message names the line and
   *     never has a value that might be a token
   */
  static Callers parse(String text) {
    Callers callers = new Callers();
    try {
      ConfigObject root = ConfigFactory.parseString(text).resolve().root();
      for (Map.Entry<String, ConfigValue> entry : root.entrySet()) {
        if (!entry.getKey().equals("callers")) {
          throw problem(entry.getValue(), "there is '%s' beside callers".formatted(entry.getKey()));
        }
        object(entry.getValue(), "callers").forEach(callers::add);
      }
    } catch (ConfigException e) {
      // The exception's message may quote the line, and with it a token that is there by mistake.
      int line = e.origin() == null ? 0 : e.origin().lineNumber();
      throw new IllegalArgumentException(
          line > 0 ? "line %d is not HOCON".formatted(line) : "it is not HOCON");
    }
    return callers;
  }

  boolean hasCertificates() {
    return !certificates.isEmpty();
  }

  boolean hasTokens() {
    return !tokens.isEmpty();
  }

  /** Finds the caller of a token, in a time that does not depend on the token. */
  Optional<Caller> byToken(String token) {
    byte[] sha256 = sha256(token);
    Caller found = null;
    for (KnownToken known : tokens) {
      if (MessageDigest.isEqual(known.sha256, sha256)) {
        found = known.caller;
      }
    }
    return Optional.ofNullable(found);
  }

  /** Finds the caller of a certificate by its names; empty if they stand for several callers. */
  Optional<Caller> byCertificate(Set<String> names) {
    List<Caller> found =
        names.stream().map(certificates::get).filter(caller -> caller != null).distinct().toList();
    return found.size() == 1 ? Optional.of(found.get(0)) : Optional.empty();
  }

  private void add(String name, ConfigValue value) {
    ConfigObject section = object(value, "caller '%s'".formatted(name));
    section.forEach(
        (key, inner) -> {
          if (!KEYS.contains(key)) {
            throw problem(
                inner,
                "caller '%s' has '%s': there are token-sha256, certificate, views and services"
                    .formatted(name, key));
          }
        });
    Config config = section.toConfig();
    Caller caller =
        new Caller(name, Set.copyOf(texts(config, "views")), Set.copyOf(texts(config, "services")));
    for (String hash : texts(config, "token-sha256")) {
      if (!SHA_256.matcher(hash).matches()) {
        throw problem(
            value,
            "token-sha256 of caller '%s' is not 64 hexadecimal digits: it is the SHA-256 of the"
                    .formatted(name)
                + " token, never the token (printf %s \"$TOKEN\" | sha256sum)");
      }
      byte[] sha256 = HexFormat.of().parseHex(hash);
      if (tokens.stream().anyMatch(known -> MessageDigest.isEqual(known.sha256, sha256))) {
        throw problem(value, "the token of caller '%s' is another's too".formatted(name));
      }
      tokens.add(new KnownToken(sha256, caller));
    }
    for (String certificate : texts(config, "certificate")) {
      if (certificates.putIfAbsent(certificate, caller) != null) {
        throw problem(
            value, "certificate '%s' of caller '%s' is another's too".formatted(certificate, name));
      }
    }
    if (texts(config, "token-sha256").isEmpty() && texts(config, "certificate").isEmpty()) {
      throw problem(value, "caller '%s' has neither token-sha256 nor certificate".formatted(name));
    }
  }

  /** Reads one text or a list of them. */
  private static List<String> texts(Config config, String key) {
    if (!config.hasPath(key)) {
      return List.of();
    }
    return config.getValue(key).valueType() == ConfigValueType.LIST
        ? config.getStringList(key)
        : List.of(config.getString(key));
  }

  private static ConfigObject object(ConfigValue value, String what) {
    if (value instanceof ConfigObject object) {
      return object;
    }
    throw problem(value, "%s is not a section { … }".formatted(what));
  }

  private static IllegalArgumentException problem(ConfigValue value, String message) {
    return new IllegalArgumentException(
        "line %d: %s".formatted(value.origin().lineNumber(), message));
  }

  private static byte[] sha256(String token) {
    try {
      return MessageDigest.getInstance("SHA-256").digest(token.getBytes(StandardCharsets.UTF_8));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }
}
