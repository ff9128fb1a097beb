package dev.tarn.bench.faults;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Deque;
import java.util.List;
import java.util.Random;

/** The kinds of faults. */
enum Fault {
  KILL("pushes killed"),
  REDIS_KILL("Redis killed and restarted"),
  CUT("connections cut"),
  OUT_OF_MEMORY("Redis full"),
  STALL("pushes stopped beyond their lease"),
  TWO_PUSHES("two pushes at once"),
  ROLLBACK("rollbacks");

  private final String label;

  Fault(String label) {
    this.label = label;
  }

  /** The name in the report. */
  String label() {
    return label;
  }

  /** Makes a list of all kinds of faults, in an order that the random numbers give. */
  static Deque<Fault> plan(long kills, Random random) {
    List<Fault> plan = new ArrayList<>(Collections.nCopies((int) kills, KILL));
    for (Fault fault : List.of(REDIS_KILL, CUT, TWO_PUSHES)) {
      plan.addAll(Collections.nCopies((int) Math.max(1, kills / 10), fault));
    }
    for (Fault fault : List.of(OUT_OF_MEMORY, STALL, ROLLBACK)) {
      plan.addAll(Collections.nCopies((int) Math.max(1, kills / 20), fault));
    }
    Collections.shuffle(plan, random);
    return new ArrayDeque<>(plan);
  }
}
