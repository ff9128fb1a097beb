package dev.tarn.etl;

import org.apache.spark.SparkConf;
import org.apache.spark.SparkContext;
import org.apache.spark.sql.SparkSession;
import scala.Option;

/**
 * Spark for unit tests. For each step of a job Spark reads the byte code of a function and
 * serializes it once for nothing, to tell a programmer in the shell what can't be sent. In jobs of
 * a few rows that is a fifth of the work. What is sent is still serialized for each task. The
 * integration tests run Spark as users do.
 */
final class QuickSpark extends SparkContext {

  private QuickSpark(SparkConf conf) {
    super(conf);
  }

  /** Starts it if the tests are to have it and no Spark runs; the next session uses it. */
  static void startWhereAsked() {
    Option<SparkSession> session = SparkSession.getDefaultSession();
    boolean isThere = session.isDefined() && !session.get().sparkContext().isStopped();
    if (isThere || !Boolean.getBoolean("tarn.test.quick")) {
      return;
    }
    SparkConf conf =
        new SparkConf()
            .setMaster("local[*]")
            .setAppName("tests")
            .set("spark.ui.enabled", "false")
            .set("spark.driver.host", "127.0.0.1")
            .set("spark.driver.bindAddress", "127.0.0.1")
            .set(
                "spark.sql.extensions",
                "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions");
    var unused = new QuickSpark(conf);
  }

  @Override
  public <F> F clean(F function, boolean checkSerializable) {
    return function;
  }
}
