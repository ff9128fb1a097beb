package dev.tarn.bench.lookup;

import com.sun.management.OperatingSystemMXBean;
import com.sun.management.ThreadMXBean;
import com.sun.tools.attach.AttachNotSupportedException;
import com.sun.tools.attach.VirtualMachine;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.util.stream.LongStream;
import javax.management.MBeanServerConnection;
import javax.management.remote.JMXConnector;
import javax.management.remote.JMXConnectorFactory;
import javax.management.remote.JMXServiceURL;

/** Reads what another JVM of this machine has used so far. */
final class JvmMeter implements AutoCloseable {

  private final JMXConnector connector;
  private final OperatingSystemMXBean system;
  private final ThreadMXBean threads;

  /** Processor time, and bytes that were allocated by the threads that are still alive. */
  record Used(long cpuNanos, long allocatedBytes) {

    Used since(Used earlier) {
      return new Used(cpuNanos - earlier.cpuNanos, allocatedBytes - earlier.allocatedBytes);
    }
  }

  private JvmMeter(JMXConnector connector, OperatingSystemMXBean system, ThreadMXBean threads) {
    this.connector = connector;
    this.system = system;
    this.threads = threads;
  }

  @SuppressWarnings("BanJNDI") // what answers is a server that the benchmark started itself
  static JvmMeter of(long pid) throws IOException {
    try {
      VirtualMachine machine = VirtualMachine.attach(Long.toString(pid));
      String address = machine.startLocalManagementAgent();
      machine.detach();
      JMXConnector connector = JMXConnectorFactory.connect(new JMXServiceURL(address));
      MBeanServerConnection beans = connector.getMBeanServerConnection();
      return new JvmMeter(
          connector,
          ManagementFactory.newPlatformMXBeanProxy(
              beans, ManagementFactory.OPERATING_SYSTEM_MXBEAN_NAME, OperatingSystemMXBean.class),
          ManagementFactory.newPlatformMXBeanProxy(
              beans, ManagementFactory.THREAD_MXBEAN_NAME, ThreadMXBean.class));
    } catch (AttachNotSupportedException e) {
      throw new IOException(e);
    }
  }

  Used used() {
    long allocated =
        LongStream.of(threads.getThreadAllocatedBytes(threads.getAllThreadIds()))
            .filter(bytes -> bytes > 0)
            .sum();
    return new Used(system.getProcessCpuTime(), allocated);
  }

  @Override
  public void close() throws IOException {
    connector.close();
  }
}
