package dev.tarn.redis;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.util.concurrent.ThreadLocalRandom;

/**
 * Finds ports for servers that tests start. They are below those that Linux gives to connections by
 * itself (32768 and up), so that no connection takes one before its server does.
 */
public final class FreePort {

  private static final int FIRST = 12_000;
  private static final int LAST = 32_000;

  private FreePort() {}

  /** A port on which nothing listens now. */
  public static int find() {
    while (true) {
      int port = ThreadLocalRandom.current().nextInt(FIRST, LAST);
      if (isFree(port)) {
        return port;
      }
    }
  }

  private static boolean isFree(int port) {
    try (ServerSocket socket = new ServerSocket(port, 1, InetAddress.getLoopbackAddress())) {
      return socket.isBound();
    } catch (IOException e) {
      return false;
    }
  }
}
