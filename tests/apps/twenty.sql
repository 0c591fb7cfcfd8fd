-- Twenty 0.40 on PostgreSQL: one schema a workspace; tasks and notes hang on people by tables of targets.
CREATE EXTENSION IF NOT EXISTS "uuid-ossp";
CREATE SCHEMA workspace_3ixj3i1a5avy16ptijtb3lae3;
SET search_path TO workspace_3ixj3i1a5avy16ptijtb3lae3, public;
CREATE TYPE actor_source AS ENUM ('EMAIL', 'CALENDAR', 'WORKFLOW', 'API', 'IMPORT', 'MANUAL', 'SYSTEM');
CREATE TYPE task_status AS ENUM ('TODO', 'IN_PROGRESS', 'DONE');
CREATE TABLE company (
  id UUID PRIMARY KEY DEFAULT public.uuid_generate_v4(), "createdAt" TIMESTAMPTZ NOT NULL DEFAULT now(), "updatedAt" TIMESTAMPTZ NOT NULL DEFAULT now(),
  "deletedAt" TIMESTAMPTZ, name TEXT NOT NULL DEFAULT '', "domainNamePrimaryLinkUrl" TEXT
);
CREATE TABLE person (
  id UUID PRIMARY KEY DEFAULT public.uuid_generate_v4(), "createdAt" TIMESTAMPTZ NOT NULL DEFAULT now(), "updatedAt" TIMESTAMPTZ NOT NULL DEFAULT now(),
  "deletedAt" TIMESTAMPTZ, "nameFirstName" TEXT NOT NULL DEFAULT '', "nameLastName" TEXT NOT NULL DEFAULT '',
  "emailsPrimaryEmail" TEXT NOT NULL DEFAULT '', "emailsAdditionalEmails" JSONB, "phonesPrimaryPhoneNumber" TEXT NOT NULL DEFAULT '',
  "phonesPrimaryPhoneCountryCode" TEXT NOT NULL DEFAULT '', "phonesPrimaryPhoneCallingCode" TEXT NOT NULL DEFAULT '', city TEXT NOT NULL DEFAULT '',
  "jobTitle" TEXT NOT NULL DEFAULT '', "avatarUrl" TEXT NOT NULL DEFAULT '', position DOUBLE PRECISION NOT NULL DEFAULT 0,
  "createdBySource" actor_source NOT NULL DEFAULT 'MANUAL', "createdByName" TEXT NOT NULL DEFAULT 'System',
  "companyId" UUID REFERENCES company (id) ON DELETE SET NULL
);
CREATE TABLE task (
  id UUID PRIMARY KEY DEFAULT public.uuid_generate_v4(), "createdAt" TIMESTAMPTZ NOT NULL DEFAULT now(), "updatedAt" TIMESTAMPTZ NOT NULL DEFAULT now(),
  "deletedAt" TIMESTAMPTZ, position DOUBLE PRECISION NOT NULL DEFAULT 0, title TEXT NOT NULL DEFAULT '', "bodyV2Blocknote" TEXT, "bodyV2Markdown" TEXT,
  "dueAt" TIMESTAMPTZ, status task_status DEFAULT 'TODO', "createdBySource" actor_source NOT NULL DEFAULT 'MANUAL', "assigneeId" UUID
);
CREATE TABLE "taskTarget" (
  id UUID PRIMARY KEY DEFAULT public.uuid_generate_v4(), "createdAt" TIMESTAMPTZ NOT NULL DEFAULT now(), "updatedAt" TIMESTAMPTZ NOT NULL DEFAULT now(),
  "deletedAt" TIMESTAMPTZ, "taskId" UUID REFERENCES task (id) ON DELETE CASCADE, "personId" UUID REFERENCES person (id) ON DELETE CASCADE,
  "companyId" UUID REFERENCES company (id) ON DELETE CASCADE, "opportunityId" UUID
);
