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
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;

/**
 * Writes bundles and reads their answers, on a connection of Lettuce's. Lettuce would make a task,
 * a promise, a buffer and a node of two queues for each command, which for a lookup of a hundred
 * entities takes longer than all else that the server does; here it is a few bytes into one buffer
 * and out of another.
 *
 * <p>Lettuce connects, logs in and watches over the connection. Once a bundle is under way, all
 * that Redis says answers bundles, so Lettuce must send nothing of its own any more.
 */
final class RedisWire extends ByteToMessageDecoder {

  /** To be had by a client before it makes connections that bundles are sent by. */
  static final NettyCustomizer CUSTOMIZER =
      new NettyCustomizer() {
        @Override
        public void afterBootstrapInitialized(Bootstrap bootstrap) {
          // For such small reads and writes it costs less than the adaptive one, Netty's default.
          bootstrap.option(ChannelOption.ALLOCATOR, PooledByteBufAllocator.DEFAULT);
        }

        @Override
        public void afterChannelInitialized(Channel channel) {
          RedisWire wire = new RedisWire();
          ChannelPipeline pipeline = channel.pipeline();
          // What a thread has for Redis from all that it has just read goes out together.
          pipeline.addFirst(
              new FlushConsolidationHandler(
                  FlushConsolidationHandler.DEFAULT_EXPLICIT_FLUSH_AFTER_FLUSHES, true));
          // The encoder lets nothing pass but Lettuce's own commands.
          pipeline.addBefore(pipeline.context(CommandEncoder.class).name(), null, wire);
          pipeline.addLast(wire.new Writer(pipeline.context(wire)));
        }
      };

  /** What a reply is while not all of it has come. */
  private static final Object INCOMPLETE = new Object();

  /** A length that says that there is nothing. */
  private static final int NO_LENGTH = -1;

  private static final int INCOMPLETE_LENGTH = -2;

  /** Redis's own limit is 512 MB. */
  private static final int MAX_LENGTH = 1 << 29;

  private final Queue<WireCommand> awaited = new ArrayDeque<>();

  private RedisWire() {}

  @Override
  protected void decode(ChannelHandlerContext context, ByteBuf in, List<Object> out) {
    if (awaited.isEmpty()) {
      // It answers the log-in, which is Lettuce's.
      out.add(in.readRetainedSlice(in.readableBytes()));
      return;
    }
    while (in.isReadable() && !awaited.isEmpty()) {
      int begin = in.readerIndex();
      Object reply = readReply(in);
      if (reply == INCOMPLETE) {
        in.readerIndex(begin);
        return;
      }
      WireCommand command = awaited.element();
      if (reply instanceof Refusal refusal) {
        command.refused(refusal);
      } else {
        command.answered(reply);
      }
      // Not before: what goes wrong with its answer ends the connection, and it with that.
      awaited.poll();
    }
  }

  @Override
  public void exceptionCaught(ChannelHandlerContext context, Throwable failure) {
    // Lettuce tells who connects why that failed.
    context.fireExceptionCaught(failure);
    // After what can't be understood, nothing can.
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

  /** The next string; null for none. */
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

  /** A list of strings. */
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
   * A length and the end of its line; {@link #NO_LENGTH} for -1, and else less if more has to come.
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

  /** The rest of a line, or {@link #INCOMPLETE}. */
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

  /** Puts the commands of a bundle in its place, before Lettuce sees it. */
  private final class Writer extends ChannelOutboundHandlerAdapter {

    private final ChannelHandlerContext wire;

    Writer(ChannelHandlerContext wire) {
      this.wire = wire;
    }

    @Override
    public void write(ChannelHandlerContext context, Object message, ChannelPromise promise) {
      if (message instanceof Bundle bundle) {
        awaited.addAll(bundle.commands());
        // If this fails the connection ends, and with it the wait.
        var unused = wire.write(Unpooled.wrappedBuffer(bundle.bytes()), promise);
      } else if (message instanceof ThreadQuestion question) {
        question.answer().complete(context.channel().eventLoop());
        promise.setSuccess();
      } else {
        var unused = context.write(message, promise);
      }
    }
  }
}
