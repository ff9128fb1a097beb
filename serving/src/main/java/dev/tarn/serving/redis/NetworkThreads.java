package dev.tarn.serving.redis;

import io.grpc.netty.NettyServerBuilder;
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
 * The threads that read and write the network, for clients and for Redis alike: so the thread that
 * reads a request can ask Redis and answer by itself, and no other need be woken for it. Nothing
 * that they run may wait.
 */
public final class NetworkThreads implements EventLoopGroupProvider, AutoCloseable {

  private final int count;
  private final EventLoopGroup group;
  private final Class<? extends ServerChannel> serverChannel;

  public NetworkThreads(int count) {
    this.count = count;
    // Lettuce decides by itself how it connects, and both sides must do it in the same way.
    boolean isEpoll = EpollProvider.isAvailable();
    IoHandlerFactory factory = isEpoll ? EpollIoHandler.newFactory() : NioIoHandler.newFactory();
    group =
        new MultiThreadIoEventLoopGroup(count, new DefaultThreadFactory("network", true), factory);
    serverChannel = isEpoll ? EpollServerSocketChannel.class : NioServerSocketChannel.class;
  }

  /** Lets a server run on them; they outlive it. */
  public void serve(NettyServerBuilder server) {
    server.bossEventLoopGroup(group).workerEventLoopGroup(group).channelType(serverChannel);
  }

  /** For Lettuce, whatever kind it asks for: it has no other threads for the network. */
  @Override
  @SuppressWarnings("unchecked")
  public <T extends EventLoopGroup> T allocate(Class<T> type) {
    return (T) group;
  }

  @Override
  public int threadPoolSize() {
    return count;
  }

  /** They go on: {@link #close} ends them. */
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
