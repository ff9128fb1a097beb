package dev.tarn.redis;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import java.util.function.Predicate;

/**
 * Stands between a client and its Redis, on loopback, and makes something happen once a number of
 * bytes has gone to Redis, or before a request goes there: that is how a moment in the middle of a
 * push is got hold of.
 */
public final class TcpProxy implements AutoCloseable {

  private final ServerSocket listener;
  private final int target;
  private final Set<Socket> open = ConcurrentHashMap.newKeySet();
  private long passed;
  private long limit = Long.MAX_VALUE;
  private Runnable then = () -> {};
  private String unanswered = "";
  private Predicate<String> awaited = request -> false;
  private Consumer<String> onAwaited = request -> {};
  private volatile long nanosAByte;

  public TcpProxy(int target) {
    this.target = target;
    try {
      listener = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    start(this::accept);
  }

  public int port() {
    return listener.getLocalPort();
  }

  /** Bytes that have gone to Redis since the last {@link #after}. */
  public synchronized long passed() {
    return passed;
  }

  /** Runs something, once, when {@code bytes} more have gone to Redis, before any more do. */
  public synchronized void after(long bytes, Runnable action) {
    passed = 0;
    limit = bytes;
    then = action;
  }

  /**
   * Breaks off the connection on which a request with this text comes, once, when Redis has
   * answered it and before the answer goes on.
   */
  public synchronized void loseAnswerTo(String text) {
    unanswered = text;
  }

  /** Whether the request of {@link #loseAnswerTo} has come. */
  public synchronized boolean hasLostAnswer() {
    return unanswered.isEmpty();
  }

  /**
   * Runs something, once, when the beginning of requests like these comes (8 KB at most, as the
   * protocol has them), before they go to Redis.
   */
  public synchronized void before(Predicate<String> requests, Consumer<String> action) {
    awaited = requests;
    onAwaited = action;
  }

  /** Lets the answers of Redis come at this pace over each connection, as a slow network would. */
  public void slowDown(long bytesASecond) {
    nanosAByte = TimeUnit.SECONDS.toNanos(1) / bytesASecond;
  }

  /** Breaks off all connections; new ones are accepted. */
  public void cut() {
    open.forEach(TcpProxy::close);
    open.clear();
  }

  @Override
  public void close() {
    try {
      listener.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    cut();
  }

  private void accept() {
    while (!listener.isClosed()) {
      try {
        Socket client = listener.accept();
        open.add(client);
        Socket redis = new Socket(InetAddress.getLoopbackAddress(), target);
        open.add(redis);
        AtomicBoolean isMute = new AtomicBoolean();
        start(() -> copy(client, redis, true, isMute));
        start(() -> copy(redis, client, false, isMute));
      } catch (IOException e) {
        // Redis refused, or the proxy is closed: the client finds out.
        cut();
      }
    }
  }

  private void copy(Socket from, Socket to, boolean isToRedis, AtomicBoolean isMute) {
    byte[] buffer = new byte[8 << 10];
    try {
      InputStream in = from.getInputStream();
      OutputStream out = to.getOutputStream();
      for (int read = in.read(buffer); read >= 0; read = in.read(buffer)) {
        if (isToRedis && isUnanswered(buffer, read)) {
          isMute.set(true);
        } else if (!isToRedis && isMute.get()) {
          break;
        }
        if (isToRedis) {
          tell(buffer, read);
        }
        if (!isToRedis && nanosAByte > 0) {
          LockSupport.parkNanos(nanosAByte * read);
        }
        int before = isToRedis ? beforeLimit(read) : read;
        out.write(buffer, 0, before);
        if (before < read) {
          reached();
          out.write(buffer, before, read - before);
        }
      }
    } catch (IOException e) {
      // One side is gone; so is the other then.
    } finally {
      close(from);
      close(to);
      open.remove(from);
      open.remove(to);
    }
  }

  private synchronized boolean isUnanswered(byte[] buffer, int read) {
    boolean isIt =
        !unanswered.isEmpty()
            && new String(buffer, 0, read, StandardCharsets.ISO_8859_1).contains(unanswered);
    if (isIt) {
      unanswered = "";
    }
    return isIt;
  }

  private void tell(byte[] buffer, int read) {
    Consumer<String> action;
    String requests;
    synchronized (this) {
      requests = new String(buffer, 0, read, StandardCharsets.ISO_8859_1);
      if (!awaited.test(requests)) {
        return;
      }
      action = onAwaited;
      awaited = request -> false;
    }
    action.accept(requests);
  }

  private synchronized int beforeLimit(int read) {
    long left = limit - passed;
    passed += read;
    return (int) Math.min(left, read);
  }

  private void reached() {
    Runnable action;
    synchronized (this) {
      action = then;
      then = () -> {};
      limit = Long.MAX_VALUE;
    }
    action.run();
  }

  private static void start(Runnable work) {
    Thread thread = new Thread(work, "tcp-proxy");
    thread.setDaemon(true);
    thread.start();
  }

  private static void close(Socket socket) {
    try {
      socket.close();
    } catch (IOException e) {
      // It is of no use any more, and that is all that matters.
    }
  }
}
