package dev.tarn.etl.redis;

import dev.tarn.cli.TarnException;
import dev.tarn.redis.RedisKeys;
import dev.tarn.redis.RedisSettings;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Collectors;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.commands.ProtocolCommand;
import redis.clients.jedis.exceptions.JedisConnectionException;
import redis.clients.jedis.exceptions.JedisDataException;

/**
 * Tries whether a user of Redis may do all that a job needs, before the job writes anything. An ACL
 * can take away any command, key or channel. Redis checks that before it looks at the rest of a
 * command, so each is tried in a way that changes nothing: on a field or a key that is not there,
 * or with a value missing.
 *
 * <p>Only the counter of versions can't be tried so. But to count on is the first change of a push.
 */
public final class Rights {

  /** The jobs that change something. */
  public enum Job {
    PUSH,
    ROLLBACK,
    EXPIRE
  }

  private static final String NO_FIELD = "";

  /** A bucket that no version has. */
  private static final String NO_VERSION = "none";

  /**
   * KEYS release, events. Tries RPUSH on a hash, which refuses it, or where there is none, adds a
   * text to the events and takes it away again.
   */
  private static final String TRY_RPUSH =
      """
      if #redis.call('HGETALL', KEYS[1]) > 0 then return redis.call('RPUSH', KEYS[1], '') end
      local removed = redis.pcall('LREM', KEYS[2], 1, '')
      if type(removed) == 'table' then return 0 end
      redis.call('RPUSH', KEYS[2], '')
      return redis.call('LREM', KEYS[2], -1, '')
      """;

  /**
   * One command to try.
   *
   * @param right the right that is tried, as an ACL names it
   * @param place the keys or the channel that it is tried on, as an ACL names them; empty: none
   */
  private record Trial(String right, String place, List<String> words) {}

  private final RedisServers servers;
  private final RedisSettings settings;
  private final RedisKeys keys;

  public Rights(RedisServers servers) {
    this.servers = servers;
    this.settings = servers.settings();
    this.keys = settings.keys();
  }

  /**
   * Tries all that a job needs, on each server that has keys.
   *
   * @throws TarnException that names every right that is missing
   */
  public void check(Job job, Collection<String> views) {
    List<Trial> control = new ArrayList<>();
    List<Trial> rows = new ArrayList<>();
    for (String view : views) {
      control.addAll(control(job, view));
      rows.addAll(rows(job, view));
    }
    Set<String> missing =
        new LinkedHashSet<>(servers.at(keys.release(), jedis -> lacks(jedis, control)));
    List<HostAndPort> masters = servers.masters();
    if (masters.size() > 1) {
      rows.add(0, new Trial("asking", "", List.of("ASKING")));
    }
    masters.forEach(server -> missing.addAll(servers.at(server, jedis -> lacks(jedis, rows))));
    if (!missing.isEmpty()) {
      throw new TarnException(
          "Redis at %s does not permit what %s needs to %s, so nothing was written. Missing: %s. Grant it with ACL SETUSER %s %s (docs/redis.md has all permissions)"
              .formatted(
                  settings.address(),
                  job.name().toLowerCase(Locale.ROOT),
                  Refusals.user(settings),
                  missing.stream().map(Rights::described).collect(Collectors.joining(", ")),
                  settings.user().isEmpty() ? "default" : settings.user(),
                  String.join(" ", missing)));
    }
  }

  /** The commands about control keys. */
  private List<Trial> control(Job job, String view) {
    List<String> hashes =
        List.of(
            keys.release(),
            keys.pinned(),
            keys.services(),
            keys.manifests(view),
            keys.writing(view));
    List<Trial> trials = new ArrayList<>();
    trials.add(new Trial("time", "", List.of("TIME")));
    for (String hash : hashes) {
      trials.add(onControl("hget", "HGET", hash, NO_FIELD));
      trials.add(onControl("hgetall", "HGETALL", hash));
      trials.add(onControl("hexists", "HEXISTS", hash, NO_FIELD));
      trials.add(onControl("hdel", "HDEL", hash, NO_FIELD));
      // Without the second value Redis refuses it, after it has looked at the rights.
      trials.add(onControl("hset", "HSET", hash, NO_FIELD, "", ""));
    }
    if (job != Job.ROLLBACK) {
      trials.add(onControl("hvals", "HVALS", keys.manifests(view)));
      trials.add(onControl("lrange", "LRANGE", keys.events(), "0", "0"));
      trials.add(onControl("lrem", "LREM", keys.events(), "1", ""));
    }
    if (job == Job.EXPIRE) {
      trials.add(onControl("eval", "EVAL", "return 1", "1", keys.release()));
    } else {
      trials.add(onControl("rpush", "EVAL", TRY_RPUSH, "2", keys.release(), keys.events()));
      // Servers that get it find nothing new.
      trials.add(
          new Trial(
              "publish",
              "&" + keys.releasedChannel(),
              List.of("PUBLISH", keys.releasedChannel(), "")));
    }
    return trials;
  }

  /** The commands about rows. */
  private List<Trial> rows(Job job, String view) {
    if (job == Job.ROLLBACK) {
      return List.of();
    }
    String prefix = keys.bucketPrefix(view, NO_VERSION);
    String bucket = new String(RedisKeys.bucket(prefix, 0), StandardCharsets.ISO_8859_1);
    List<Trial> trials =
        new ArrayList<>(
            List.of(onRows("unlink", "UNLINK", bucket), onRows("pexpire", "PEXPIRE", bucket, "1")));
    if (job == Job.PUSH) {
      trials.add(onRows("hset", "HSET", bucket, NO_FIELD, "", ""));
      trials.add(onRows("hgetall", "HGETALL", bucket));
      trials.add(onRows("hget", "HGET", bucket, NO_FIELD));
      trials.add(onRows("hexists", "HEXISTS", bucket, NO_FIELD));
      trials.add(onRows("persist", "PERSIST", bucket));
    }
    return trials;
  }

  private Trial onControl(String right, String... words) {
    return new Trial(right, "~" + keys.release().replace("release", "*"), List.of(words));
  }

  private Trial onRows(String right, String... words) {
    String prefix = words[1].substring(0, words[1].indexOf(':'));
    return new Trial(right, "~" + prefix + ":*", List.of(words));
  }

  /** The rights among those tried that the user lacks, as ACL SETUSER takes them. */
  private Set<String> lacks(Jedis jedis, List<Trial> trials) {
    Set<String> lacks = new LinkedHashSet<>();
    for (Trial trial : trials) {
      try {
        byte[][] arguments =
            trial.words().stream()
                .skip(1)
                .map(word -> word.getBytes(StandardCharsets.UTF_8))
                .toArray(byte[][]::new);
        ProtocolCommand command = () -> trial.words().get(0).getBytes(StandardCharsets.US_ASCII);
        jedis.sendCommand(command, arguments);
      } catch (JedisConnectionException e) {
        throw e;
      } catch (JedisDataException e) {
        if (Refusals.isForbidden(e)) {
          lacks.add(lacking(trial, e.getMessage()));
        } else if (e.getMessage().contains("unknown command")) {
          throw new TarnException(
              "Redis at %s does not know the command %s, which Tarn needs, so nothing was written (is it renamed in redis.conf?)"
                  .formatted(settings.address(), trial.words().get(0)),
              e);
        }
        // Whatever else it is refused for, the rights are looked at first.
      }
    }
    return lacks;
  }

  private static String lacking(Trial trial, String refusal) {
    if (!refusal.contains("run th")) {
      return trial.place();
    }
    return refusal.contains("'eval'") ? "+eval" : "+" + trial.right();
  }

  private static String described(String right) {
    return switch (right.charAt(0)) {
      case '+' -> "the command " + right.substring(1);
      case '&' -> "the channel " + right.substring(1);
      default -> "the keys " + right.substring(1);
    };
  }
}
