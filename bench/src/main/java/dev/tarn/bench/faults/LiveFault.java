package dev.tarn.bench.faults;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Deque;
import java.util.List;
import java.util.Random;

/** What is killed, on the way of an event into an answer. */
enum LiveFault {
  LIVE("live jobs killed"),
  STOPPED("live jobs stopped over a rebalance and let go on"),
  ARCHIVE("archives killed"),
  REDIS("Redis killed, its file kept"),
  BROKER("brokers killed"),
  SERVER("servers killed"),
  PUSH("pushes killed");

  private final String label;

  LiveFault(String label) {
    this.label = label;
  }

  /** The name in the report. */
  String label() {
    return label;
  }

  /** Makes a list of so many faults, all kinds equally often, in an order that is random. */
  static Deque<LiveFault> plan(long kills, Random random) {
    List<LiveFault> plan = new ArrayList<>();
    for (int i = 0; i < kills; i++) {
      plan.add(values()[i % values().length]);
    }
    Collections.shuffle(plan, random);
    return new ArrayDeque<>(plan);
  }
}
