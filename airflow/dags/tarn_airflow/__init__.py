"""Makes Airflow DAGs of feature definitions."""
