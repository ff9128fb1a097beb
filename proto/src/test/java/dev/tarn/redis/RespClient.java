package dev.tarn.redis;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * Redis's protocol with nothing above it: what is sent to a node goes to that node. Texts are
 * bytes, one char each.
 */
public final class RespClient implements AutoCloseable {

  private final Socket socket;
  private final InputStream in;

  public RespClient(int port) {
    try {
      socket = new Socket(InetAddress.getLoopbackAddress(), port);
      in = new BufferedInputStream(socket.getInputStream());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /**
   * The answer as text; an error is an exception.
   *
   * @throws IllegalStateException if the answer is an error
   */
  public String ask(String... command) {
    return String.valueOf(send(List.of(command)));
  }

  public List<String> askList(List<String> command) {
    return ((List<?>) send(command)).stream().map(String::valueOf).toList();
  }

  public Object send(List<String> command) {
    try {
      ByteArrayOutputStream bytes = new ByteArrayOutputStream();
      bytes.writeBytes(latin1("*" + command.size() + "\r\n"));
      for (String word : command) {
        bytes.writeBytes(latin1("$" + word.length() + "\r\n" + word + "\r\n"));
      }
      socket.getOutputStream().write(bytes.toByteArray());
      return read();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public void close() {
    try {
      socket.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private Object read() throws IOException {
    String line = readLine();
    String rest = line.substring(1);
    return switch (line.charAt(0)) {
      case '-' -> throw new IllegalStateException(rest);
      case '$' -> readText(Integer.parseInt(rest));
      case '*' -> readList(Integer.parseInt(rest));
      default -> rest;
    };
  }

  private String readText(int length) throws IOException {
    if (length < 0) {
      return "";
    }
    byte[] text = in.readNBytes(length);
    var unused = readLine();
    return new String(text, StandardCharsets.ISO_8859_1);
  }

  private List<Object> readList(int length) throws IOException {
    List<Object> list = new ArrayList<>();
    for (int i = 0; i < length; i++) {
      list.add(read());
    }
    return list;
  }

  private String readLine() throws IOException {
    StringBuilder line = new StringBuilder();
    for (int next = in.read(); next != '\r'; next = in.read()) {
      if (next < 0) {
        throw new EOFException();
      }
      line.append((char) next);
    }
    var unused = in.read();
    return line.toString();
  }

  private static byte[] latin1(String text) {
    return text.getBytes(StandardCharsets.ISO_8859_1);
  }
}
