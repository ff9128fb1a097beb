package dev.tarn.serving.redis;

import dev.tarn.serving.redis.WireCommand.Refusal;
import io.lettuce.core.protocol.CommandEncoder;
import io.lettuce.core.resource.NettyCustomizer;
import io.netty.bootstrap.Bootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOption;
import io.netty.channel.ChannelOutboundHandlerAdapter;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.ChannelPromise;
import io.netty.handler.codec.ByteToMessageDecoder;
import io.netty.handler.codec.CorruptedFrameException;
import io.netty.handler.flush.FlushConsolidationHandler;
import io.netty.util.concurrent.EventExecutor;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * Writes bundles and reads their answers, on a connection of Lettuce. For each command, Lettuce
 * would make a task, a promise, a buffer and a node of two queues. For a lookup of a hundred
 * entities that takes longer than all else that the server does. Here a command is a few bytes into
 * one buffer and out of another.
 *
 * <p>Lettuce connects, logs in and watches over the connection. Once a bundle is under way, all
 * that Redis sends answers bundles, so Lettuce must not send commands of its own any more.
 */
final class RedisWire extends ByteToMessageDecoder {

  /** The checks, within the time of silence that ends commands, for a sign of Redis. */
  private static final int CHECKS = 4;

  /** Stands for a reply of which not all bytes have come. */
  private static final Object INCOMPLETE = new Object();

  /** The length that stands for a missing value. */
  private static final int NO_LENGTH = -1;

  private static final int INCOMPLETE_LENGTH = -2;

  /** The longest value: Redis itself allows 512 MB. */
  private static final int MAX_LENGTH = 1 << 29;

  private final long timeoutNanos;
  private final Queue<WireCommand> awaited = new ArrayDeque<>();
  private final Watch watch = new Watch();

  /** Counts what begins the time of silence anew: what comes, and commands when none is awaited. */
  private long signs;

  private EventExecutor thread;

  private RedisWire(Duration timeout) {
    timeoutNanos = timeout.toNanos();
  }

  /**
   * Returns what a client needs before it opens connections that carry bundles.
   *
   * @param timeout the time after which commands fail if they await answers and nothing comes
   */
  static NettyCustomizer customizer(Duration timeout) {
    return new NettyCustomizer() {
      @Override
      public void afterBootstrapInitialized(Bootstrap bootstrap) {
        // For such small reads and writes it costs less than Netty's default, the adaptive one.
        bootstrap.option(ChannelOption.ALLOCATOR, PooledByteBufAllocator.DEFAULT);
      }

      @Override
      public void afterChannelInitialized(Channel channel) {
        RedisWire wire = new RedisWire(timeout);
        ChannelPipeline pipeline = channel.pipeline();
        // Sends together all commands that come from one read of the network.
        pipeline.addFirst(
            new FlushConsolidationHandler(
                FlushConsolidationHandler.DEFAULT_EXPLICIT_FLUSH_AFTER_FLUSHES, true));
        // The encoder would drop what is not a command of Lettuce.
        pipeline.addBefore(pipeline.context(CommandEncoder.class).name(), null, wire);
        pipeline.addLast(wire.new Writer(pipeline.context(wire)));
      }
    };
  }

  @Override
  public void handlerAdded(ChannelHandlerContext context) {
    thread = context.executor();
  }

  @Override
  public void channelRead(ChannelHandlerContext context, Object bytes) throws Exception {
    signs++;
    super.channelRead(context, bytes);
  }

  @Override
  protected void decode(ChannelHandlerContext context, ByteBuf in, List<Object> out) {
    if (awaited.isEmpty()) {
      // This answers the log-in, which is up to Lettuce.
      out.add(in.readRetainedSlice(in.readableBytes()));
      return;
    }
    while (in.isReadable() && !awaited.isEmpty()) {
      int begin = in.readerIndex();
      Object reply = readReply(in);
      if (reply == INCOMPLETE) {
        in.readerIndex(begin);
        break;
      }
      WireCommand command = awaited.element();
      if (reply instanceof Refusal refusal) {
        command.refused(refusal);
      } else {
        command.answered(reply);
      }
      // Only now: an exception above ends the connection, which then fails this command too.
      awaited.poll();
    }
  }

  @Override
  public void exceptionCaught(ChannelHandlerContext context, Throwable failure) {
    // Lettuce reports this to the code that connects.
    context.fireExceptionCaught(failure);
    // After bytes that make no sense, nothing later on this connection does.
    var unused = context.close();
  }

  @Override
  public void channelInactive(ChannelHandlerContext context) throws Exception {
    for (WireCommand command = awaited.poll(); command != null; command = awaited.poll()) {
      command.connectionLost();
    }
    super.channelInactive(context);
  }

  private static Object readReply(ByteBuf in) {
    byte type = in.readByte();
    return switch (type) {
      case '$' -> readBytes(in);
      case '*' -> readElements(in, 1);
      case '%' -> readElements(in, 2);
      case '-' -> readLine(in) instanceof String error ? new Refusal(error) : INCOMPLETE;
      case '+' -> readLine(in) instanceof String text ? bytes(text) : INCOMPLETE;
      case '_' -> readLine(in) instanceof String ? null : INCOMPLETE;
      default -> throw new CorruptedFrameException("a reply begins with byte " + type);
    };
  }

  /** Reads the next string; null for none. */
  private static Object readBytes(ByteBuf in) {
    int length = readLength(in);
    if (length < 0) {
      return length == NO_LENGTH ? null : INCOMPLETE;
    }
    if (in.readableBytes() < length + 2) {
      return INCOMPLETE;
    }
    byte[] bytes = new byte[length];
    in.readBytes(bytes).skipBytes(2);
    return bytes;
  }

  /** Reads a list of strings. */
  private static Object readElements(ByteBuf in, int each) {
    int count = readLength(in);
    if (count < 0) {
      return count == NO_LENGTH ? null : INCOMPLETE;
    }
    List<Object> elements = new ArrayList<>();
    for (int i = 0; i < count * each; i++) {
      Object element = in.isReadable() ? readReply(in) : INCOMPLETE;
      if (element == INCOMPLETE) {
        return INCOMPLETE;
      }
      elements.add(element);
    }
    return elements;
  }

  /**
   * Reads a length and the end of its line. Returns {@link #NO_LENGTH} for -1, and {@link
   * #INCOMPLETE_LENGTH} if more bytes have to come.
   */
  private static int readLength(ByteBuf in) {
    int end = in.writerIndex();
    int length = 0;
    boolean isNegative = false;
    for (int at = in.readerIndex(); at < end - 1; at++) {
      byte next = in.getByte(at);
      if (next == '\r') {
        in.readerIndex(at + 2);
        return isNegative ? NO_LENGTH : length;
      }
      if (next == '-') {
        isNegative = true;
      } else if (next < '0' || next > '9' || length > MAX_LENGTH / 10) {
        throw new CorruptedFrameException("a length has byte " + next);
      } else {
        length = 10 * length + next - '0';
      }
    }
    return INCOMPLETE_LENGTH;
  }

  /** Reads the rest of a line; returns {@link #INCOMPLETE} if more bytes have to come. */
  private static Object readLine(ByteBuf in) {
    int length = in.bytesBefore((byte) '\n');
    if (length < 1) {
      return INCOMPLETE;
    }
    String line = in.toString(in.readerIndex(), length - 1, StandardCharsets.UTF_8);
    in.skipBytes(length + 1);
    return line;
  }

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  /** Writes the commands of a bundle instead of the bundle, before Lettuce's encoder sees it. */
  private final class Writer extends ChannelOutboundHandlerAdapter {

    private final ChannelHandlerContext wire;

    Writer(ChannelHandlerContext wire) {
      this.wire = wire;
    }

    @Override
    public void write(ChannelHandlerContext context, Object message, ChannelPromise promise) {
      if (message instanceof Bundle bundle) {
        if (awaited.isEmpty()) {
          signs++;
        }
        awaited.addAll(bundle.commands());
        watch.begin();
        // If this fails, the connection ends, which fails the awaited commands.
        var unused = wire.write(Unpooled.wrappedBuffer(bundle.bytes()), promise);
      } else if (message instanceof WireProbe probe) {
        probe.answer().complete(thread);
        promise.setSuccess();
      } else {
        var unused = context.write(message, promise);
      }
    }
  }

  /**
   * Fails the commands of a connection over which nothing comes. While bytes come, commands wait,
   * however many others were sent before: Redis is there, and much was asked of it.
   *
   * <p>The checks are tasks of the thread that reads the connection, and it reads between two of
   * them. So the time in which this program itself is late, e.g. because it collects garbage, does
   * not count as silence of Redis.
   */
  private final class Watch implements Runnable {

    private boolean isOn;
    private long seen;
    private int silent;

    /** Begins, unless it goes on already. */
    void begin() {
      if (!isOn) {
        isOn = true;
        silent = 0;
        next();
      }
    }

    @Override
    public void run() {
      if (awaited.isEmpty()) {
        isOn = false;
        return;
      }
      silent = seen == signs ? silent + 1 : 0;
      if (silent == CHECKS) {
        silent = 0;
        TimeoutException failure = new TimeoutException();
        // A copy, because a command that fails may have others sent.
        List.copyOf(awaited).forEach(command -> command.failed(failure));
      }
      next();
    }

    private void next() {
      seen = signs;
      var unused = thread.schedule(this, timeoutNanos / CHECKS, TimeUnit.NANOSECONDS);
    }
  }
}
