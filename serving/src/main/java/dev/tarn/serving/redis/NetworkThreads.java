package dev.tarn.serving.redis;

import io.lettuce.core.resource.EpollProvider;
import io.lettuce.core.resource.EventLoopGroupProvider;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.IoHandlerFactory;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.ServerChannel;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.util.concurrent.DefaultThreadFactory;
import io.netty.util.concurrent.EventExecutorGroup;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.ImmediateEventExecutor;
import java.util.concurrent.TimeUnit;

/**
 * The threads that read and write the network, for clients and for Redis alike. The thread that
 * reads a request asks Redis and answers by itself, so no other thread is woken for it. Code that
 * runs on these threads must not wait.
 */
public final class NetworkThreads implements EventLoopGroupProvider, AutoCloseable {

  private final int count;
  private final EventLoopGroup group;
  private final Class<? extends ServerChannel> serverChannel;

  public NetworkThreads(int count) {
    this.count = count;
    // Lettuce decides this by itself, and both sides must do the same.
    boolean isEpoll = EpollProvider.isAvailable();
    IoHandlerFactory factory = isEpoll ? EpollIoHandler.newFactory() : NioIoHandler.newFactory();
    group =
        new MultiThreadIoEventLoopGroup(count, new DefaultThreadFactory("network", true), factory);
    serverChannel = isEpoll ? EpollServerSocketChannel.class : NioServerSocketChannel.class;
  }

  /** Returns the threads, for a server that runs on them. */
  public EventLoopGroup group() {
    return group;
  }

  /** Returns the kind of channel that a server on these threads must use. */
  public Class<? extends ServerChannel> serverChannel() {
    return serverChannel;
  }

  /** Gives these threads to Lettuce, whatever kind it asks for. */
  @Override
  @SuppressWarnings("unchecked")
  public <T extends EventLoopGroup> T allocate(Class<T> type) {
    return (T) group;
  }

  @Override
  public int threadPoolSize() {
    return count;
  }

  /** Does nothing: only {@link #close} ends the threads. */
  @Override
  public Future<Boolean> release(
      EventExecutorGroup released, long quietPeriod, long timeout, TimeUnit unit) {
    return ImmediateEventExecutor.INSTANCE.newSucceededFuture(true);
  }

  @Override
  public Future<Boolean> shutdown(long quietPeriod, long timeout, TimeUnit unit) {
    return ImmediateEventExecutor.INSTANCE.newSucceededFuture(true);
  }

  @Override
  public void close() {
    var unused = group.shutdownGracefully(0, 1, TimeUnit.SECONDS);
  }
}
